#include "profile_draft.hpp"

#include "nfqws2/base/text.hpp"
#include "nfqws2/profile/lua_call.hpp"
#include "nfqws2/protocol/name_hint.hpp"

#include <algorithm>
#include <utility>

namespace nfqws2::profile {

namespace {

constexpr std::size_t longest_instance_name = 255;
constexpr const char* range_hint = " (should be x, a, or a range like -d10, n3-, s1<s5000)";

template <typename Value>
void import_value(Value& to, bool& to_given, Value from, bool from_given) {
    if (!from_given) return;
    to = from;
    to_given = true;
}

void import_auto_options(AutoHostOptions& to, AutoGiven& to_given, const AutoHostOptions& from,
                         const AutoGiven& given) {
    import_value(to.fail_threshold, to_given.fail_threshold, from.fail_threshold,
                 given.fail_threshold);
    import_value(to.fail_time, to_given.fail_time, from.fail_time, given.fail_time);
    import_value(to.retrans_threshold, to_given.retrans_threshold, from.retrans_threshold,
                 given.retrans_threshold);
    import_value(to.retrans_maxseq, to_given.retrans_maxseq, from.retrans_maxseq,
                 given.retrans_maxseq);
    import_value(to.retrans_reset, to_given.retrans_reset, from.retrans_reset, given.retrans_reset);
    import_value(to.incoming_maxseq, to_given.incoming_maxseq, from.incoming_maxseq,
                 given.incoming_maxseq);
    import_value(to.udp_out, to_given.udp_out, from.udp_out, given.udp_out);
    import_value(to.udp_in, to_given.udp_in, from.udp_in, given.udp_in);
    import_value(to.max, to_given.max, from.max, given.max);
}

template <typename Collection> void append_lists(Collection& to, const Collection& from) {
    for (const auto& list : from.lists())
        to.add(list);
}

void number_instances(Profile& p) {
    std::uint32_t n = 0;
    for (LuaInstance& instance : p.instances) {
        instance.func_n = ++n;
        instance.name =
            instance.func + '_' + std::to_string(p.number) + '_' + std::to_string(instance.func_n);
        if (instance.name.size() > longest_instance_name)
            instance.name.resize(longest_instance_name);
    }
}

// See docs/contracts/profiles.md#filter-defaults. A local port exists in TCP and UDP only.
void apply_filter_defaults(Profile& p) {
    const bool grouped = !p.tcp.empty() || !p.udp.empty() || !p.icmp.empty() || !p.ipp.empty();
    if (grouped && p.tcp.empty()) p.tcp.add_nothing();
    if (grouped && p.udp.empty()) p.udp.add_nothing();
    if ((grouped || !p.lport.empty()) && p.icmp.empty()) p.icmp.add_nothing();
    if ((grouped || !p.lport.empty()) && p.ipp.empty()) p.ipp.add_nothing();
}

} // namespace

void refuse(const char* what, std::string_view value, std::string_view hint) {
    throw BadValue(std::string(what) + " : " + std::string(value) + std::string(hint));
}

void ProfileBuilder::Draft::import(const Draft& from) {
    Profile& to = *profile;
    const Profile& source = *from.profile;
    if (source.auto_hosts && to.auto_hosts && to.auto_hosts != source.auto_hosts)
        throw BadValue("autohostlist replacement is not supported\ncould not copy template");
    if (source.auto_hosts) to.auto_hosts = source.auto_hosts;
    import_auto_options(to.auto_options, auto_given, source.auto_options, from.auto_given);
    for (std::size_t i = 0; i < filter_rows.size(); i++)
        if (from.given[i]) filter_rows[i].merge(to, given[i], source);
    given |= from.given;
    if (source.cookie) to.cookie = source.cookie;
    to.instances.insert(to.instances.end(), source.instances.begin(), source.instances.end());
    append_lists(to.hosts, source.hosts);
    append_lists(to.hosts_exclude, source.hosts_exclude);
    append_lists(to.nets, source.nets);
    append_lists(to.nets_exclude, source.nets_exclude);
}

ProfileBuilder::ProfileBuilder(ListStore& lists) : lists_(lists), open_(std::make_unique<Draft>()) {
}

ProfileBuilder::~ProfileBuilder() = default;

bool ProfileBuilder::skipped() const {
    return open_->skipped;
}

// The option may be the one that closes the open profile: then the position is that of the next.
void ProfileBuilder::set_position(OptionPosition position) {
    position_ = position;
    if (open_->begun) return;
    open_->begun = true;
    open_->profile->position = position;
}

void ProfileBuilder::warn(std::string text) {
    warnings_.push_back({position_, std::move(text)});
}

void ProfileBuilder::new_profile(Text name) {
    close();
    set_position(position_);
    open_->profile->profile_name = name;
}

void ProfileBuilder::close() {
    std::unique_ptr<Draft> draft = std::exchange(open_, std::make_unique<Draft>());
    Profile& profile = *draft->profile;
    if (draft->skipped) return;
    if (!draft->is_template) {
        profile.number = static_cast<std::uint32_t>(profiles_.size() + 1);
        number_instances(profile);
        apply_filter_defaults(profile);
        profiles_.push_back(std::move(draft->profile));
        return;
    }
    for (const auto& other : templates_) {
        if (profile.profile_name.empty() || other->profile->profile_name != profile.profile_name)
            continue;
        throw BadValue("template '" + profile.profile_name + "' already present");
    }
    profile.number = static_cast<std::uint32_t>(templates_.size() + 1);
    templates_.push_back(std::move(draft));
}

BuiltProfiles ProfileBuilder::finish() {
    close();
    BuiltProfiles built;
    built.user_profiles = profiles_.size();
    built.templates = templates_.size();
    for (const auto& draft : templates_)
        if (!draft->imported)
            built.unused_templates.push_back({draft->profile->label(), draft->template_position});
    built.list_uses = std::move(list_uses_);
    built.profiles = std::move(profiles_);
    templates_.clear();
    return built;
}

void ProfileBuilder::skip(Text) {
    open_->skipped = true;
}

void ProfileBuilder::set_name(Text name) {
    open_->profile->profile_name = name;
}

void ProfileBuilder::set_template(Text name) {
    open_->is_template = true;
    open_->template_position = position_;
    if (!name.empty()) open_->profile->profile_name = name;
}

void ProfileBuilder::import(Text name) {
    for (const auto& source : templates_) {
        if (name.empty() || source->profile->profile_name != name) continue;
        source->imported = true;
        open_->import(*source);
        return;
    }
    throw BadValue("template '" + std::string(name) + "' not found" + template_hint(name));
}

// The nearest name, or all there are: a template must be complete before it is imported.
std::string ProfileBuilder::template_hint(Text name) const {
    std::vector<std::string_view> known;
    for (const auto& source : templates_)
        if (!source->profile->profile_name.empty())
            known.emplace_back(source->profile->profile_name);
    const std::string_view best = nearest(name, known);
    if (!best.empty()) return " (did you mean '" + std::string(best) + "'?)";
    if (known.empty()) return " (no template ends before this option)";
    std::string names;
    for (const std::string_view one : known)
        names += (names.empty() ? "" : ", ") + std::string(one);
    return " (templates before this option: " + names + ")";
}

void ProfileBuilder::set_cookie(Text value) {
    open_->profile->cookie = std::string(value);
}

void ProfileBuilder::filter(const FilterRow& row, Text value) {
    const auto index = static_cast<std::size_t>(&row - filter_rows.data());
    row.parse(*open_->profile, open_->given[index], value);
    open_->given.set(index);
}

void ProfileBuilder::payload(Text value) {
    std::string bad;
    const auto set = protocol::parse_payload_set(value, &bad);
    if (!set) refuse("Invalid payload filter", value, protocol::payload_name_hint(bad));
    open_->payload = *set;
}

void ProfileBuilder::ct_state(Text value) {
    open_->ct_state = parse_ct_states("ct-state", value);
}

void ProfileBuilder::in_range(Text value) {
    const auto range = flow::parse_range(value);
    if (!range) refuse("invalid packet range value", value, range_hint);
    open_->in_range = *range;
}

void ProfileBuilder::out_range(Text value) {
    const auto range = flow::parse_range(value);
    if (!range) refuse("invalid packet range value", value, range_hint);
    open_->out_range = *range;
}

void ProfileBuilder::lua_desync(Text value) {
    LuaInstance instance = parse_lua_call(value);
    instance.in_range = open_->in_range;
    instance.out_range = open_->out_range;
    instance.payload = open_->payload;
    instance.ct_state = open_->ct_state;
    instance.position = position_;
    open_->profile->instances.push_back(std::move(instance));
}

bool uses_auto_hosts(const std::vector<std::unique_ptr<Profile>>& profiles) {
    return std::any_of(profiles.begin(), profiles.end(),
                       [](const auto& profile) { return profile->auto_hosts != nullptr; });
}

} // namespace nfqws2::profile
