// The list options of ProfileBuilder and the settings of the automatic list.
#include "profile_draft.hpp"

#include "nfqws2/base/text.hpp"
#include "nfqws2/profile/list_file.hpp"
#include "nfqws2/profile/net_table.hpp"

#include <algorithm>

namespace nfqws2::profile {

void set_switch(bool& to, bool& given, std::string_view value) {
    const auto number = value.empty() ? 0 : decimal(value, UINT32_MAX);
    if (!number) throw BadValue("bad value '" + std::string(value) + "', should be 0 or 1");
    to = *number != 0;
    given = true;
}

namespace {

// A setting without limits of its own.
void set_number(std::uint32_t& to, bool& given, std::string_view value, const char* option) {
    const auto number = decimal(value, UINT32_MAX);
    if (!number) refuse(option, value, " (should be a number from 0 on)");
    to = static_cast<std::uint32_t>(*number);
    given = true;
}

// A name that cannot be a host name, or one that a list file would have.
bool looks_like_file(std::string_view name) {
    return name.empty() || name.find('/') != std::string_view::npos || name.ends_with(".txt") ||
           name.ends_with(".gz") || name.ends_with(".lst") ||
           name.find('.') == std::string_view::npos;
}

} // namespace

// What was added to a list of the command line just now.
void ProfileBuilder::warn_of_flaws(const std::shared_ptr<HostList>& list) {
    const auto* fixed = dynamic_cast<const FixedHostList*>(list.get());
    if (fixed != nullptr && !fixed->flaws().empty()) warn("never matches : " + fixed->flaws());
}

void ProfileBuilder::add_hosts(Text file, bool exclude) {
    if (open_->skipped) return;
    std::string error;
    auto list = lists_.host_file(std::string(file), &error);
    if (!list) {
        if (!looks_like_file(file))
            error += exclude ? " (for host names use --hostlist-exclude-domains)"
                             : " (for host names use --hostlist-domains)";
        throw BadValue(error);
    }
    list_uses_.push_back({position_, list, nullptr});
    Profile& p = *open_->profile;
    (exclude ? p.hosts_exclude : p.hosts).add(std::move(list));
}

void ProfileBuilder::add_nets(Text file, bool exclude) {
    if (open_->skipped) return;
    std::string error;
    auto list = lists_.net_file(std::string(file), &error);
    if (!list) {
        if (parse_network(file.substr(0, file.find(','))))
            error += exclude ? " (for addresses use --ipset-exclude-ip)"
                             : " (for addresses use --ipset-ip)";
        throw BadValue(error);
    }
    list_uses_.push_back({position_, nullptr, list});
    Profile& p = *open_->profile;
    (exclude ? p.nets_exclude : p.nets).add(std::move(list));
}

void ProfileBuilder::add_domains(Text items, std::shared_ptr<HostList>& anonymous,
                                 HostCollection& collection) {
    if (open_->skipped) return;
    if (!anonymous) {
        anonymous = lists_.anonymous_hosts();
        list_uses_.push_back({position_, anonymous, nullptr});
        collection.add(anonymous);
    }
    lists_.add_domains(*anonymous, items);
}

void ProfileBuilder::add_networks(Text items, std::shared_ptr<NetList>& anonymous,
                                  NetCollection& collection) {
    if (open_->skipped) return;
    if (!anonymous) {
        anonymous = lists_.anonymous_nets();
        list_uses_.push_back({position_, nullptr, anonymous});
        collection.add(anonymous);
    }
    const std::string bad = lists_.add_networks(*anonymous, items);
    if (!bad.empty())
        warn("bad ip or subnet : " + bad + " (skipped; should be like 192.0.2.1,2001:db8::/32)");
}

void ProfileBuilder::hostlist(Text file) {
    add_hosts(file, false);
}

void ProfileBuilder::hostlist_exclude(Text file) {
    add_hosts(file, true);
}

void ProfileBuilder::ipset(Text file) {
    add_nets(file, false);
}

void ProfileBuilder::ipset_exclude(Text file) {
    add_nets(file, true);
}

void ProfileBuilder::hostlist_domains(Text items) {
    add_domains(items, open_->domains, open_->profile->hosts);
    warn_of_flaws(open_->domains);
}

void ProfileBuilder::hostlist_exclude_domains(Text items) {
    add_domains(items, open_->domains_exclude, open_->profile->hosts_exclude);
    warn_of_flaws(open_->domains_exclude);
}

void ProfileBuilder::ipset_ip(Text items) {
    add_networks(items, open_->networks, open_->profile->nets);
}

void ProfileBuilder::ipset_exclude_ip(Text items) {
    add_networks(items, open_->networks_exclude, open_->profile->nets_exclude);
}

void ProfileBuilder::hostlist_auto(Text file) {
    if (open_->skipped) return;
    Profile& p = *open_->profile;
    if (p.auto_hosts) throw BadValue("only one auto hostlist per profile is supported");
    std::string error;
    p.auto_hosts = lists_.auto_host_file(std::string(file), &error);
    if (!p.auto_hosts) throw BadValue(error);
    p.hosts.add(p.auto_hosts);
}

void ProfileBuilder::auto_fail_threshold(Text value) {
    const auto number = decimal(value, UINT32_MAX);
    if (!number || *number < 1 || *number > 20)
        refuse("auto hostlist fail threshold must be within 1..20", value);
    open_->profile->auto_options.fail_threshold = static_cast<std::uint32_t>(*number);
    open_->auto_given.fail_threshold = true;
}

void ProfileBuilder::auto_fail_time(Text value) {
    const auto number = decimal(value, UINT32_MAX);
    if (!number || *number < 1)
        refuse("auto hostlist fail time is not valid", value,
               " (should be a number of seconds from 1 on)");
    open_->profile->auto_options.fail_time = static_cast<std::uint32_t>(*number);
    open_->auto_given.fail_time = true;
}

void ProfileBuilder::auto_retrans_threshold(Text value) {
    const auto number = decimal(value, UINT32_MAX);
    if (!number || *number < 2 || *number > 10)
        refuse("auto hostlist fail threshold must be within 2..10", value);
    open_->profile->auto_options.retrans_threshold = static_cast<std::uint32_t>(*number);
    open_->auto_given.retrans_threshold = true;
}

void ProfileBuilder::auto_retrans_maxseq(Text value) {
    set_number(open_->profile->auto_options.retrans_maxseq, open_->auto_given.retrans_maxseq, value,
               "invalid hostlist-auto-retrans-maxseq value");
}

void ProfileBuilder::auto_retrans_reset(Text value) {
    set_switch(open_->profile->auto_options.retrans_reset, open_->auto_given.retrans_reset, value);
}

void ProfileBuilder::auto_incoming_maxseq(Text value) {
    set_number(open_->profile->auto_options.incoming_maxseq, open_->auto_given.incoming_maxseq,
               value, "invalid hostlist-auto-incoming-maxseq value");
}

void ProfileBuilder::auto_udp_out(Text value) {
    set_number(open_->profile->auto_options.udp_out, open_->auto_given.udp_out, value,
               "invalid hostlist-auto-udp-out value");
}

void ProfileBuilder::auto_udp_in(Text value) {
    set_number(open_->profile->auto_options.udp_in, open_->auto_given.udp_in, value,
               "invalid hostlist-auto-udp-in value");
}

void ProfileBuilder::auto_max(Text value) {
    set_number(open_->profile->auto_options.max, open_->auto_given.max, value,
               "invalid hostlist-auto-max value");
}

} // namespace nfqws2::profile
