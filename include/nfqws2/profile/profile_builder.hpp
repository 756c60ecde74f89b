// Builds the profile list from options in command line order: the implicit first profile, --new,
// --skip, --template, --import, numbering (docs/contracts/profiles.md#building-the-list). Every
// option is one method of the same shape, so that an option table can hold pointers to them.
#pragma once

#include "nfqws2/base/bad_value.hpp"
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

struct OptionWarning {
    OptionPosition position = 0;
    std::string text;
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

    // All methods throw BadValue: the program ends. `value` is the option's argument; for an option
    // given without its optional argument pass "" ("1" for switches that are on then).
    using Text = std::string_view;

    // Structure. new_profile closes the open profile (which may fail) and opens the next.
    void new_profile(Text name);
    void skip(Text);
    void set_name(Text name);
    void set_template(Text name); // "" keeps the name
    void import(Text name);
    void set_cookie(Text value);

    void filter(const FilterRow& row, Text value);

    // Lists. Not executed in a profile that was skipped before. Bad networks in ipset_ip are logged
    // and skipped.
    void ipset(Text file);
    void ipset_exclude(Text file);
    void ipset_ip(Text items);
    void ipset_exclude_ip(Text items);
    void hostlist(Text file);
    void hostlist_exclude(Text file);
    void hostlist_domains(Text items);
    void hostlist_exclude_domains(Text items);
    void hostlist_auto(Text file);

    void auto_fail_threshold(Text value);
    void auto_fail_time(Text value);
    void auto_retrans_threshold(Text value);
    void auto_retrans_maxseq(Text value);
    void auto_retrans_reset(Text value);
    void auto_incoming_maxseq(Text value);
    void auto_udp_out(Text value);
    void auto_udp_in(Text value);
    void auto_max(Text value);

    // In-profile filter state and instances.
    void payload(Text value);
    void ct_state(Text value);
    void in_range(Text value);
    void out_range(Text value);
    void lua_desync(Text value);

    // Closes the last profile, numbers everything, applies the filter defaults. Call once. Throws
    // BadValue.
    BuiltProfiles finish();

    // What is to be told although the program goes on.
    const std::vector<OptionWarning>& warnings() const { return warnings_; }

    // Of the open profile; for messages that name it.
    bool skipped() const;

  private:
    struct Draft;
    void close();
    void warn(std::string text);
    void warn_of_flaws(const std::shared_ptr<HostList>& list);
    void add_hosts(Text file, bool exclude);
    void add_nets(Text file, bool exclude);
    std::string template_hint(Text name) const;
    void add_domains(Text items, std::shared_ptr<HostList>& anonymous, HostCollection& collection);
    void add_networks(Text items, std::shared_ptr<NetList>& anonymous, NetCollection& collection);

    ListStore& lists_;
    OptionPosition position_ = 0;
    std::vector<OptionWarning> warnings_;
    std::vector<ListUse> list_uses_;
    std::unique_ptr<Draft> open_;
    std::vector<std::unique_ptr<Profile>> profiles_;
    std::vector<std::unique_ptr<Draft>> templates_;
};

// An autohostlist in any profile: refused in server mode with "autohostlists not supported in
// server mode".
bool uses_auto_hosts(const std::vector<std::unique_ptr<Profile>>& profiles);

} // namespace nfqws2::profile
