// What a command line would do with a packet (docs/contracts/command-line.md#explain).
#pragma once

#include "explain/explain_query.hpp"
#include "nfqws2/profile/profile_set.hpp"
#include "nfqws2/rules/preview.hpp"

#include <optional>
#include <string>
#include <vector>

namespace nfqws2::app {

// What the lists of a profile say about the host, as far as it is known.
struct ListFacts {
    bool checked = false, positive = false, excluded = false;
    std::string list, entry; // that decided; the list "" if none did
};

// One profile in the search for the packet's profile.
struct ProfileFacts {
    const profile::Profile* profile = nullptr;
    std::string refused_by;             // name of the option, "" for the winner
    std::string list, entry;            // of a list that decided
    std::vector<std::string> consulted; // lists that have no such entry
};

// One search: the winner is last.
struct SearchFacts {
    bool informed = false; // flow protocol and host name are known
    std::vector<ProfileFacts> profiles;
    ListFacts hosts;    // of the winner
    ListFacts networks; // likewise

    const profile::Profile& winner() const { return *profiles.back().profile; }
    // The host is in no list of a profile that has some: its instances do not run.
    bool instances_blocked() const { return hosts.checked && !hosts.positive; }
};

struct Explanation {
    ExplainQuery query;
    std::vector<SearchFacts> searches; // before and, if that makes a difference, after
    // With --rules, else empty: what rules would say before.
    std::optional<std::vector<rules::ProfilePreview>> rules;
};

// `server`: --server, the far end is a client.
rules::Sketch sketch_of(const ExplainQuery& query, bool server);
Explanation explain(const ExplainQuery& query, const profile::ProfileSet& profiles);

} // namespace nfqws2::app
