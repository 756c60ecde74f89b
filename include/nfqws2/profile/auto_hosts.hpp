// The automatic host list: failure counters per profile and host, the decision to add a host, the
// debug log (docs/contracts/lists.md#automatic-lists). All workers count together, whichever sees a
// client of the blocked site. The engine reports events; sending the RST is its business.
#pragma once

#include "nfqws2/base/clock.hpp"
#include "nfqws2/flow/track.hpp"
#include "nfqws2/profile/list_store.hpp"
#include "nfqws2/profile/profile_set.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace nfqws2::profile {

class AutoHosts {
  public:
    AutoHosts(const ProfileSet& profiles, ListStore& lists, Clock& clock);
    ~AutoHosts();

    // From now on several threads call it.
    void share();
    // --hostlist-auto-debug; false if the file cannot be opened for append.
    bool set_debug_log(const std::string& path);

    struct Event {
        const Profile* profile;
        std::string_view host;
        bool host_is_ip;
        flow::Endpoint client;
        std::string_view l7;
        std::string reason; // text for the debug log: "rseq 1 : incoming RST"
    };
    void failure(const Event& event);
    void success(const Event& event);
    // A reload: counters of profiles that keep their number and list go on.
    void carry_over(const Generation& from, const Generation& to);
    void forget(const Generation& gone);
    void purge(); // expired counters; rate-limited to once per second
    // SIGUSR2: per profile an empty line, "DESYNC profile N (name)", and a line for each host.
    void dump(const std::function<void(const std::string&)>& line) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace nfqws2::profile
