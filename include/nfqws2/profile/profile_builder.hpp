// Builds the profile list from options in command line order: the implicit first profile, --new,
// --skip, --template, --import, numbering (docs/contracts/profiles.md#building-the-list). Every
// option is one method of the same shape, so that an option table can hold pointers to them.
#pragma once

#include "nfqws2/profile/list_store.hpp"
#include "nfqws2/profile/profile.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::profile {

struct FilterRow;

// A template that nobody imported.
struct UnusedTemplate {
    std::string label; // "N (name)"
    OptionPosition position = 0;
};

// A list that an option brought into a profile; one of the pointers is set.
struct ListUse {
    OptionPosition position = 0;
    std::shared_ptr<HostList> hosts;
    std::shared_ptr<NetList> nets;
};

struct BuiltProfiles {
    std::vector<std::unique_ptr<Profile>> profiles; // 1, 2, ... without profile 0
    std::size_t user_profiles = 0;                  // = profiles.size(), for the status line
    std::size_t templates = 0;
    std::vector<UnusedTemplate> unused_templates;
    std::vector<ListUse> list_uses; // without automatic lists, which may be empty
};

class ProfileBuilder {
  public:
    explicit ProfileBuilder(ListStore& lists);
    ~ProfileBuilder();
    ProfileBuilder(const ProfileBuilder&) = delete;
    ProfileBuilder& operator=(const ProfileBuilder&) = delete;

    // Position of the option whose method is called next.
    void set_position(OptionPosition position);

    // All methods: false = the program ends; *error then holds the message, one or more lines
    // separated by '\n' without a final one. true and a text in *error = a warning. `value` is the
    // option's argument; for an option given without its optional argument pass "" ("1" for
    // switches that are on then).
    using Text = std::string_view;

    // Structure. new_profile closes the open profile (which may fail) and opens the next.
    bool new_profile(Text name, std::string* error);
    bool skip(Text, std::string* error);
    bool set_name(Text name, std::string* error);
    bool set_template(Text name, std::string* error); // "" keeps the name
    bool import(Text name, std::string* error);
    bool set_cookie(Text value, std::string* error);

    bool filter(const FilterRow& row, Text value, std::string* error);

    // Lists. Not executed in a profile that was skipped before. Bad networks in ipset_ip are logged
    // and skipped.
    bool ipset(Text file, std::string* error);
    bool ipset_exclude(Text file, std::string* error);
    bool ipset_ip(Text items, std::string* error);
    bool ipset_exclude_ip(Text items, std::string* error);
    bool hostlist(Text file, std::string* error);
    bool hostlist_exclude(Text file, std::string* error);
    bool hostlist_domains(Text items, std::string* error);
    bool hostlist_exclude_domains(Text items, std::string* error);
    bool hostlist_auto(Text file, std::string* error);

    bool auto_fail_threshold(Text value, std::string* error);
    bool auto_fail_time(Text value, std::string* error);
    bool auto_retrans_threshold(Text value, std::string* error);
    bool auto_retrans_maxseq(Text value, std::string* error);
    bool auto_retrans_reset(Text value, std::string* error);
    bool auto_incoming_maxseq(Text value, std::string* error);
    bool auto_udp_out(Text value, std::string* error);
    bool auto_udp_in(Text value, std::string* error);
    bool auto_max(Text value, std::string* error);

    // In-profile filter state and instances.
    bool payload(Text value, std::string* error);
    bool in_range(Text value, std::string* error);
    bool out_range(Text value, std::string* error);
    bool lua_desync(Text value, std::string* error);

    // Closes the last profile, numbers everything, applies the filter defaults. Call once.
    std::optional<BuiltProfiles> finish(std::string* error);

    // Of the open profile; for messages that name it.
    bool skipped() const;

  private:
    struct Draft;
    bool close(std::string* error);
    bool add_hosts(Text file, bool exclude, std::string* error);
    bool add_nets(Text file, bool exclude, std::string* error);
    std::string template_hint(Text name) const;
    void add_domains(Text items, std::shared_ptr<HostList>& anonymous, HostCollection& collection);
    void add_networks(Text items, std::shared_ptr<NetList>& anonymous, NetCollection& collection,
                      std::string* warning);

    ListStore& lists_;
    OptionPosition position_ = 0;
    std::vector<ListUse> list_uses_;
    std::unique_ptr<Draft> open_;
    std::vector<std::unique_ptr<Profile>> profiles_;
    std::vector<std::unique_ptr<Draft>> templates_;
};

// An autohostlist in any profile: refused in server mode with "autohostlists not supported in
// server mode".
bool uses_auto_hosts(const std::vector<std::unique_ptr<Profile>>& profiles);

} // namespace nfqws2::profile
