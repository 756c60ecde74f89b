// Theory of operation. The file and its includes are read into documents; sets and presets are
// collected first, since rules name them; then each profile is read chain by chain into the flat
// arrays of the program. Reading goes on behind an error, so that all are seen at once.
#include "compiler.hpp"

#include "nfqws2/base/file.hpp"
#include "regular_file.hpp"
#include "review.hpp"

#include <utility>

namespace nfqws2::rules {
namespace {

constexpr std::size_t most_rules = 10'000, most_chains = 1000, most_profiles = 256;
constexpr std::size_t most_includes = 64;

ReadResult read_rules(const std::string& path) {
    std::string error;
    const FileDescriptor file = open_regular(path, &error);
    if (!file) return {{}, error};
    return read_regular(file, path, largest_rules_file);
}

} // namespace

bool Compiler::parse(std::string_view text, const std::string& name, Node& root) {
    const std::uint16_t file = findings_.add_file(name);
    files_.push_back(name);
    SyntaxError error;
    if (parse_toml(text, file, root, error)) return true;
    findings_.error(error.at, error.text);
    return false;
}

void Compiler::compile(std::string_view text, const std::string& name) {
    Node root;
    if (!parse(text, name, root)) return;
    main_directory_ = directory_of(name);
    compile(root);
}

void Compiler::compile(const Node& root) {
    if (files_.empty()) files_.push_back(findings_.file(findings_.add_file("rules")));
    root_keys(root);
    if (findings_.failed()) return;
    find_cycles();
    need_databases();
    if (findings_.failed()) return;
    note_used_sets();
    note_pieces();
    note_link();
    review(*program_, build_, places_);
    check_unused_presets();
}

void Compiler::root_keys(const Node& root) {
    Members members(values(), root, "a rules file");
    const Node* version = members.take("version");
    numbers(members);
    const Node* limits_table = members.take("limits");
    const Node* geo = members.take("geoip");
    const Node* include_list = members.take("include");
    const Node* sets = members.take("set");
    const Node* preset_table = members.take("preset");
    const Node* profile_list = members.take("profile");
    members.finish();
    if (version != nullptr)
        check_version(*version);
    else
        findings_.error(root.at,
                        profile_list == nullptr && (sets != nullptr || preset_table != nullptr)
                            ? "this file is for 'include' in a file of rules: it has no "
                              "'version' and no profile"
                            : "a rules file needs 'version'");
    if (limits_table != nullptr) limits(*limits_table);
    if (geo != nullptr) geoip(*geo, main_directory_);
    if (include_list != nullptr) includes(*include_list, main_directory_);
    if (sets != nullptr) global_sets(*sets, files_.front());
    if (preset_table != nullptr) presets(*preset_table, files_.front());
    program_->views.push_back({global_sets_, 0});
    if (profile_list != nullptr) profiles(*profile_list);
}

void Compiler::check_version(const Node& node) {
    if (!node.is(Node::Kind::integer)) return values().wrong_kind(node, "the number 1");
    if (node.integer != 1)
        findings_.error(node.at, "version " + std::to_string(node.integer) +
                                     ": this program reads version 1");
}

void Compiler::numbers(Members& members) {
    static constexpr Word policies[] = {{"continue", 0}, {"accept", 1}, {"drop", 2}};
    if (const Node* policy = members.take("policy")) {
        const auto word = values().word(*policy, policies, "policy");
        if (word) program_->policy = static_cast<Policy>(*word);
    }
    if (const Node* lan = members.take("lan")) {
        auto prefixes = values().prefixes(*lan);
        if (prefixes) program_->lan = std::move(*prefixes);
    }
    if (const Node* bits = members.take("ipv6_source_bits")) {
        const auto number = values().number(*bits, {1, 128});
        if (number) program_->ipv6_source_bits = static_cast<unsigned>(*number);
    }
}

void Compiler::limits(const Node& node) {
    constexpr Bounds bounds{1, 50'000'000};
    if (!node.is(Node::Kind::table)) return values().wrong_kind(node, "a table");
    Members members(values(), node, "'limits'");
    Limits& out = program_->limits;
    for (auto [key, to] : {std::pair("marks", &out.marks), std::pair("buckets", &out.buckets),
                           std::pair("sources", &out.sources)}) {
        const Node* value = members.take(key);
        const auto number = value != nullptr ? values().number(*value, bounds) : std::nullopt;
        if (number) *to = *number;
    }
    members.finish();
}

void Compiler::geoip(const Node& node, const std::string& directory) {
    if (!node.is(Node::Kind::table)) return values().wrong_kind(node, "a table");
    Members members(values(), node, "'geoip'");
    const Node* file = members.need("file");
    members.finish();
    if (file == nullptr) return;
    for (const Node* item : Values::each(*file)) {
        const auto path = values().text(*item);
        if (!path) continue;
        std::string full = path->starts_with('/') ? *path : directory + *path;
        if (files_in_reach_ && is_irregular(full))
            findings_.error(item->at, full + ": not a regular file");
        program_->geoip_files.push_back(std::move(full));
    }
}

void Compiler::includes(const Node& node, const std::string& directory) {
    const auto items = Values::each(node);
    if (items.size() > most_includes)
        return findings_.error(node.at,
                               "more than " + std::to_string(most_includes) + " included files");
    for (const Node* item : items)
        include(*item, directory);
}

void Compiler::include(const Node& node, const std::string& directory) {
    const auto name = values().text(node);
    if (!name) return;
    const std::string path = name->starts_with('/') ? *name : directory + *name;
    if (!files_in_reach_) return findings_.error(node.at, "no file is read here: '" + *name + "'");
    const ReadResult read = read_rules(path);
    if (!read.ok()) {
        files_.push_back(path); // its change is waited for
        return findings_.error(node.at, read.error);
    }
    Node root;
    if (!parse(as_text(read.data), path, root)) return;
    Members members(values(), root, "an included file");
    const Node* version = members.take("version");
    const Node* sets = members.take("set");
    const Node* preset_table = members.take("preset");
    members.finish();
    if (version != nullptr) check_version(*version);
    if (sets != nullptr) global_sets(*sets, path);
    if (preset_table != nullptr) presets(*preset_table, path);
}

void Compiler::presets(const Node& node, const std::string& file) {
    if (!node.is(Node::Kind::table)) return values().wrong_kind(node, "a table");
    for (const Member& member : node.members)
        presets_.add(values(), member, file);
}

void Compiler::profiles(const Node& node) {
    if (!node.is(Node::Kind::array)) return values().wrong_kind(node, "an array of tables");
    if (node.items.size() > most_profiles)
        return findings_.error(node.at, "more than " + std::to_string(most_profiles) + " profiles");
    for (const Node& item : node.items)
        profile(item);
}

void Compiler::profile(const Node& node) {
    static constexpr Word modes[] = {{"enforce", 0}, {"observe", 1}};
    if (!node.is(Node::Kind::table)) return values().wrong_kind(node, "a table");
    Members members(values(), node, "a profile");
    const Node* name = members.take("name");
    const Node* match = members.take("match");
    const Node* mode = members.take("mode");
    const Node* comment = members.take("comment");
    const Node* rules = members.take("rule");
    const Node* chains = members.take("chain");
    const Node* sets = members.take("set");
    members.finish();
    if (comment != nullptr) (void)values().text(*comment);

    profile_ = static_cast<std::uint32_t>(program_->profiles.size());
    Profile out;
    out.name = std::to_string(profile_ + 1);
    if (name != nullptr) out.name = values().name(*name).value_or(out.name);
    if (!profile_names_.insert(out.name).second)
        findings_.error(node.at, "there is a profile '" + out.name + "' already");
    if (mode != nullptr) out.observe = values().word(*mode, modes, "mode") == 1U;
    rule_names_.clear();
    names_.local_sets.clear();
    names_.chains.clear();
    if (sets != nullptr) {
        SetView view{global_sets_, 0};
        local_sets(*sets, view);
        out.view = static_cast<std::uint32_t>(program_->views.size());
        program_->views.push_back(std::move(view));
    }
    out.tests.begin = static_cast<std::uint32_t>(program_->tests.size());
    findings_.where = "profile '" + out.name + "'";
    if (match != nullptr) read_matches(build_, names_, *match, program_->tests);
    out.tests.end = static_cast<std::uint32_t>(program_->tests.size());
    out.main = static_cast<std::uint32_t>(program_->chains.size());
    program_->profiles.push_back(out);
    build_.profiles.push_back(node.at);
    for (const PlannedChain& planned : plan_chains(rules, chains))
        chain(planned);
    findings_.where.clear();
}

// All names before any rule: a rule may go to a chain below.
std::vector<Compiler::PlannedChain> Compiler::plan_chains(const Node* rules, const Node* chains) {
    std::vector<PlannedChain> plan;
    const auto add = [&](const std::string& name, Place at, const Node* list) {
        const auto index = static_cast<std::uint32_t>(program_->chains.size());
        program_->chains.push_back({name, {}});
        build_.chains.push_back(at);
        names_.chains[name] = index;
        plan.push_back({list, index});
    };
    add("main", {}, rules);
    if (chains == nullptr) return plan;
    if (!chains->is(Node::Kind::array)) {
        values().wrong_kind(*chains, "an array of tables");
        return plan;
    }
    for (const Node& item : chains->items) {
        if (!item.is(Node::Kind::table)) {
            values().wrong_kind(item, "a table");
            continue;
        }
        Members members(values(), item, "a chain");
        const Node* name = members.need("name");
        const Node* list = members.take("rule");
        members.finish();
        const auto text = name != nullptr ? values().name(*name) : std::nullopt;
        if (!text) continue;
        if (names_.chains.contains(*text))
            findings_.error(name->at, "there is a chain '" + *text + "' already");
        else if (program_->chains.size() >= most_chains)
            findings_.error(name->at, "more than " + std::to_string(most_chains) + " chains");
        else
            add(*text, item.at, list);
    }
    return plan;
}

void Compiler::chain(const PlannedChain& planned) {
    chain_ = planned.index;
    number_ = 0;
    const auto count = [this] { return static_cast<std::uint32_t>(program_->rules.size()); };
    program_->chains[chain_].rules = {count(), count()};
    if (planned.rules == nullptr) return;
    if (!planned.rules->is(Node::Kind::array))
        return values().wrong_kind(*planned.rules, "an array of tables");
    for (const Node& item : planned.rules->items)
        rule(item, "");
    program_->chains[chain_].rules.end = count();
}

std::optional<RuleKeys> read_rule_keys(const Values& values, const Node& node) {
    if (!node.is(Node::Kind::table)) {
        values.wrong_kind(node, "a table");
        return std::nullopt;
    }
    Members members(values, node, "a rule");
    RuleKeys keys;
    keys.name = members.take("name");
    const Node* comment = members.take("comment");
    keys.enabled = members.take("enabled");
    keys.preset = members.take("preset");
    if (keys.preset != nullptr) {
        keys.params = members.take("params");
    } else {
        keys.match = members.take("match");
        keys.action = members.take("action");
    }
    members.finish();
    if (comment != nullptr) (void)values.text(*comment);
    return keys;
}

void read_tests_and_actions(Build& build, const Names& names, const Node& rule,
                            const RuleKeys& keys, std::vector<Test>& tests,
                            std::vector<Action>& actions) {
    if (keys.match != nullptr) read_matches(build, names, *keys.match, tests);
    if (keys.action != nullptr)
        read_actions(build, names, *keys.action, actions);
    else
        build.values.findings().error(rule.at, "a rule needs 'action'");
}

// A rule of the file, or of a preset that is used under `outer_name`.
void Compiler::rule(const Node& node, const std::string& outer_name) {
    if (findings_.full()) return;
    const std::string default_name = program_->profiles[profile_].name + "/" +
                                     program_->chains[chain_].name + "#" +
                                     std::to_string(number_ + 1);
    const std::string outside = findings_.where;
    const Member* named = node.find("name");
    const bool has_name = named != nullptr && named->value.is(Node::Kind::text);
    std::string name = !outer_name.empty() ? outer_name + "#" + std::to_string(number_ + 1)
                       : has_name          ? named->value.text
                                           : default_name;
    findings_.where = "rule '" + name + "'";

    if (const auto keys = read_rule_keys(values(), node)) {
        if (keys->name != nullptr && !values().name(*keys->name)) name = default_name;
        const bool is_on =
            keys->enabled == nullptr || values().boolean(*keys->enabled).value_or(true);
        if (keys->preset == nullptr)
            add_rule(node, *keys, name, is_on);
        else if (is_on)
            use_preset(node, *keys->preset, keys->params);
    }
    findings_.where = outside;
}

void Compiler::use_preset(const Node& node, const Node& name, const Node* params) {
    const auto text = values().text(name);
    if (!text) return;
    const Preset* preset = presets_.find(*text);
    if (preset == nullptr) return values().unknown_word(name.at, *text, "preset", presets_.names());
    if (params != nullptr && !params->is(Node::Kind::table))
        return values().wrong_kind(*params, "a table");
    used_presets_.insert(*text);
    const Member* named = node.find("name");
    for (const Node& item : presets_.expand(values(), *preset, node.at, params))
        rule(item, named != nullptr ? named->value.text : "");
}

void Compiler::add_rule(const Node& node, const RuleKeys& keys, const std::string& name,
                        bool enabled) {
    if (!rule_names_.insert(name).second)
        findings_.error(node.at, "there is a rule of this name already");
    number_++;
    Program& program = *program_;
    const auto mark = std::pair(program.tests.size(), program.actions.size());
    Rule out;
    out.name = name;
    out.profile = profile_;
    out.chain = chain_;
    out.tests.begin = static_cast<std::uint32_t>(program.tests.size());
    out.actions.begin = static_cast<std::uint32_t>(program.actions.size());
    read_tests_and_actions(build_, names_, node, keys, program.tests, program.actions);
    out.tests.end = static_cast<std::uint32_t>(program.tests.size());
    out.actions.end = static_cast<std::uint32_t>(program.actions.size());
    if (!enabled) {
        program.tests.resize(mark.first);
        program.actions.resize(mark.second);
    }
    if (rules_read_++ == most_rules)
        return findings_.error(node.at, "more than " + std::to_string(most_rules) + " rules");
    if (!enabled) return;
    places_[static_cast<std::uint32_t>(program.rules.size())] = node.at;
    program.rules.push_back(std::move(out));
}

bool in_this_build() {
    return can_parse();
}

Compiled compile_text(std::string_view text, const std::string& name) {
    Compiler compiler(Compiler::Files::may_be_read);
    compiler.compile(text, name);
    return compiler.finish();
}

Compiled check_text(std::string_view text) {
    Compiler compiler(Compiler::Files::are_out_of_reach);
    compiler.compile(text, "rules");
    return compiler.finish();
}

Compiled check_document(const Node& root) {
    Compiler compiler(Compiler::Files::are_out_of_reach);
    compiler.compile(root);
    return compiler.finish();
}

Compiled compile_file(const std::string& path) {
    const ReadResult read = read_rules(path);
    if (read.ok()) return compile_text(as_text(read.data), path);
    Compiled out;
    out.files.push_back(path);
    out.errors.push_back(read.error);
    return out;
}

} // namespace nfqws2::rules
