// Theory of operation. The file and its includes are read into documents; sets and presets are
// collected first, since rules name them; then each profile is read chain by chain into the flat
// arrays of the program. Reading goes on behind an error, so that all are seen at once.
#include "nfqws2/rules/compile.hpp"

#include "nfqws2/base/file.hpp"
#include "presets.hpp"
#include "reader.hpp"
#include "regular_file.hpp"
#include "review.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace nfqws2::rules {
namespace {

constexpr std::size_t most_rules = 10'000, most_chains = 1000, most_profiles = 256;
constexpr std::size_t most_includes = 64;

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

ReadResult read_rules(const std::string& path) {
    std::string error;
    const FileDescriptor file = open_regular(path, &error);
    if (!file) return {{}, error};
    return read_regular(file, path, largest_rules_file);
}

class Compiler {
  public:
    enum class Files : std::uint8_t { may_be_read, are_out_of_reach };
    explicit Compiler(Files files)
        : files_in_reach_(files == Files::may_be_read), program_(std::make_shared<Program>()),
          build_{*program_, Values(findings_), {}, {}, {}, {}, false, {}, {}, {}} {}

    void compile(std::string_view text, const std::string& name);
    void compile(const Node& root);
    Compiled finish();

  private:
    // False: said.
    bool parse(std::string_view text, const std::string& name, Node& root);
    void root_keys(const Node& root);
    void numbers(Members& members);
    void limits(const Node& node);
    void geoip(const Node& node, const std::string& directory);
    void includes(const Node& node, const std::string& directory);
    void include(const Node& node, const std::string& directory);
    void global_sets(const Node& node, const std::string& file);
    std::optional<std::uint32_t> add_set(const Member& member, const std::string& directory);
    void add_entries(const Node& node, PrefixSet& set);
    void presets(const Node& node, const std::string& file);
    void profiles(const Node& node);
    void profile(const Node& node);
    void local_sets(const Node& node, SetView& view);
    struct PlannedChain {
        const Node* rules;
        std::uint32_t index;
    };
    std::vector<PlannedChain> plan_chains(const Node* rules, const Node* chains);
    void chain(const PlannedChain& planned);
    void rule(const Node& node, const std::string& outer_name);
    void use_preset(const Node& node, const Node& name, const Node* params);
    void add_rule(const Node& node, const std::string& name, bool enabled);
    void find_cycles();
    void note_used_sets();
    void note_pieces();

    const Values& values() const { return build_.values; }

    bool files_in_reach_;
    Findings findings_;
    std::shared_ptr<Program> program_;
    Build build_;
    Presets presets_;
    std::vector<std::string> files_;
    std::string main_directory_;
    Names names_; // of the present profile, and the global sets
    std::vector<std::uint32_t> global_sets_;
    std::set<std::string, std::less<>> profile_names_, rule_names_;
    std::uint32_t profile_ = 0, chain_ = 0, number_ = 0; // where rules are added
    std::map<std::uint32_t, Place> places_;              // of rules
    std::size_t rules_read_ = 0;                         // also those that are switched off
};

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
    if (findings_.failed()) return;
    note_used_sets();
    note_pieces();
    review(*program_, build_, places_);
}

void Compiler::root_keys(const Node& root) {
    Members members(values(), root, "a rules file");
    const Node* version = members.need("version");
    numbers(members);
    const Node* limits_table = members.take("limits");
    const Node* geo = members.take("geoip");
    const Node* include_list = members.take("include");
    const Node* sets = members.take("set");
    const Node* preset_table = members.take("preset");
    const Node* profile_list = members.take("profile");
    members.finish();
    if (version != nullptr) (void)values().number(*version, {1, 1});
    if (limits_table != nullptr) limits(*limits_table);
    if (geo != nullptr) geoip(*geo, main_directory_);
    if (include_list != nullptr) includes(*include_list, main_directory_);
    if (sets != nullptr) global_sets(*sets, files_.front());
    if (preset_table != nullptr) presets(*preset_table, files_.front());
    program_->views.push_back({global_sets_, 0});
    if (profile_list != nullptr) profiles(*profile_list);
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
    if (version != nullptr) (void)values().number(*version, {1, 1});
    if (sets != nullptr) global_sets(*sets, path);
    if (preset_table != nullptr) presets(*preset_table, path);
}

void Compiler::global_sets(const Node& node, const std::string& file) {
    if (!node.is(Node::Kind::table)) return values().wrong_kind(node, "a table");
    for (const Member& member : node.members) {
        if (names_.global_sets.contains(member.key)) {
            findings_.error(member.at, "there is a set '" + member.key + "' already");
            continue;
        }
        const auto index = add_set(member, directory_of(file));
        if (!index) continue;
        if (global_sets_.size() == PrefixSets::max_sets)
            return findings_.error(member.at, "more than 64 sets");
        names_.global_sets[member.key] = static_cast<std::uint32_t>(global_sets_.size());
        global_sets_.push_back(*index);
    }
}

std::optional<std::uint32_t> Compiler::add_set(const Member& member, const std::string& directory) {
    if (!is_name(member.key)) {
        findings_.error(member.at, "'" + member.key + "' is no name for a set");
        return std::nullopt;
    }
    if (!member.value.is(Node::Kind::table)) {
        values().wrong_kind(member.value, "a table with 'file' or 'prefixes'");
        return std::nullopt;
    }
    Members members(values(), member.value, "a set");
    const Node* file = members.take("file");
    const Node* prefixes = members.take("prefixes");
    members.finish();
    if ((file == nullptr) == (prefixes == nullptr)) {
        findings_.error(member.at, "a set needs one of 'file' and 'prefixes'");
        return std::nullopt;
    }
    PrefixSet set;
    set.name = member.key;
    if (file != nullptr) {
        const auto path = values().text(*file);
        if (!path) return std::nullopt;
        set.file = path->starts_with('/') ? *path : directory + *path;
        if (files_in_reach_ && is_irregular(set.file))
            findings_.error(file->at, set.file + ": not a regular file");
    } else {
        add_entries(*prefixes, set);
    }
    program_->sets.push_back(std::move(set));
    build_.sets.push_back(member.at);
    return static_cast<std::uint32_t>(program_->sets.size() - 1);
}

void Compiler::add_entries(const Node& node, PrefixSet& set) {
    for (const Node* item : Values::each(node)) {
        const auto text = values().text(*item);
        if (!text) continue;
        const auto entry = PrefixEntry::parse(*text);
        if (!entry)
            findings_.error(item->at, "'" + *text + "' is no prefix, or PREFIX=VALUE");
        else if (entry->prefix.host_bits)
            findings_.error(item->at, "'" + *text + "' has host bits");
        else
            set.entries.push_back(*entry);
    }
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

void Compiler::local_sets(const Node& node, SetView& view) {
    if (!node.is(Node::Kind::table)) return values().wrong_kind(node, "a table");
    for (const Member& member : node.members) {
        const auto index = add_set(member, main_directory_);
        if (!index) continue;
        if (view.sets.size() == PrefixSets::max_sets)
            return findings_.error(member.at, "more than 64 sets, with the global ones");
        names_.local_sets[member.key] = static_cast<std::uint32_t>(view.sets.size());
        view.sets.push_back(*index);
    }
}

// All names before any rule: a rule may go to a chain below.
std::vector<Compiler::PlannedChain> Compiler::plan_chains(const Node* rules, const Node* chains) {
    std::vector<PlannedChain> plan;
    const auto add = [&](const std::string& name, const Node* list) {
        const auto index = static_cast<std::uint32_t>(program_->chains.size());
        program_->chains.push_back({name, {}});
        names_.chains[name] = index;
        plan.push_back({list, index});
    };
    add("main", rules);
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
            add(*text, list);
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

// A rule of the file, or of a preset that is used under `outer_name`.
void Compiler::rule(const Node& node, const std::string& outer_name) {
    if (findings_.full()) return;
    if (!node.is(Node::Kind::table)) return values().wrong_kind(node, "a table");
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

    Members members(values(), node, "a rule");
    const Node* name_node = members.take("name");
    const Node* comment = members.take("comment");
    const Node* enabled = members.take("enabled");
    const Node* preset = members.take("preset");
    if (comment != nullptr) (void)values().text(*comment);
    if (name_node != nullptr && !values().name(*name_node)) name = default_name;
    const bool is_on = enabled == nullptr || values().boolean(*enabled).value_or(true);
    if (preset != nullptr) {
        const Node* params = members.take("params");
        members.finish();
        if (is_on) use_preset(node, *preset, params);
    } else {
        members.take("match");
        members.take("action");
        members.finish();
        if (!rule_names_.insert(name).second)
            findings_.error(node.at, "there is a rule of this name already");
        add_rule(node, name, is_on);
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
    const Member* named = node.find("name");
    for (const Node& item : presets_.expand(values(), *preset, node.at, params))
        rule(item, named != nullptr ? named->value.text : "");
}

void Compiler::add_rule(const Node& node, const std::string& name, bool enabled) {
    number_++;
    Program& program = *program_;
    const auto mark = std::pair(program.tests.size(), program.actions.size());
    Rule out;
    out.name = name;
    out.profile = profile_;
    out.chain = chain_;
    out.tests.begin = static_cast<std::uint32_t>(program.tests.size());
    out.actions.begin = static_cast<std::uint32_t>(program.actions.size());
    const Member* match = node.find("match");
    const Member* action = node.find("action");
    if (match != nullptr) read_matches(build_, names_, match->value, program.tests);
    if (action != nullptr)
        read_actions(build_, names_, action->value, program.actions);
    else
        findings_.error(node.at, "a rule needs 'action'");
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

// Depth first, without recursion: a chain that is on the way already is a cycle.
void Compiler::find_cycles() {
    const Program& program = *program_;
    const auto targets = [&](std::uint32_t chain) {
        std::vector<std::pair<std::uint32_t, std::uint32_t>> out; // chain, rule
        const Slice rules = program.chains[chain].rules;
        for (std::uint32_t r = rules.begin; r < rules.end; r++) {
            const Slice actions = program.rules[r].actions;
            if (actions.begin == actions.end) continue;
            if (const auto* go = std::get_if<action::Goto>(&program.actions[actions.end - 1]))
                out.emplace_back(go->chain, r);
        }
        return out;
    };
    enum class State : std::uint8_t { fresh, open, done };
    std::vector<State> states(program.chains.size(), State::fresh);
    struct Step {
        std::uint32_t chain;
        std::vector<std::pair<std::uint32_t, std::uint32_t>> left;
    };
    for (std::uint32_t start = 0; start < states.size(); start++) {
        if (states[start] != State::fresh) continue;
        states[start] = State::open;
        std::vector<Step> way{{start, targets(start)}};
        while (!way.empty()) {
            if (way.back().left.empty()) {
                states[way.back().chain] = State::done;
                way.pop_back();
                continue;
            }
            const auto [chain, rule] = way.back().left.back();
            way.back().left.pop_back();
            if (states[chain] == State::open) {
                findings_.where = "rule '" + program.rules[rule].name + "'";
                findings_.error(places_[rule], "'goto' leads round in a circle, by chain '" +
                                                   program.chains[chain].name + "'");
                findings_.where.clear();
            } else if (states[chain] == State::fresh) {
                states[chain] = State::open;
                way.push_back({chain, targets(chain)});
            }
        }
    }
}

// Only sets that a match asks for are built, and their values kept only where one asks for those.
void Compiler::note_used_sets() {
    Program& program = *program_;
    const auto note = [&](Slice tests, std::uint32_t profile) {
        SetView& view = program.views[program.profiles[profile].view];
        for (std::uint32_t i = tests.begin; i < tests.end; i++)
            if (const auto* set = std::get_if<test::Set>(&program.tests[i].condition)) {
                view.used |= std::uint64_t{1} << set->set;
                if (set->value) program.sets[view.sets[set->set]].with_values = true;
            }
    };
    for (std::uint32_t i = 0; i < program.profiles.size(); i++)
        note(program.profiles[i].tests, i);
    for (const Rule& rule : program.rules)
        note(rule.tests, rule.profile);
}

// Of a merged packet the length says nothing of those that came, and it may be too long to change.
void Compiler::note_pieces() {
    const auto measures = [](const Test& test) {
        const auto* length = std::get_if<test::Length>(&test.condition);
        return length != nullptr && length->element != Element::header;
    };
    const auto translates = [](const Action& action) {
        return std::holds_alternative<action::Translate>(action);
    };
    program_->needs_pieces = std::ranges::any_of(program_->tests, measures) ||
                             std::ranges::any_of(program_->actions, translates);
}

Compiled Compiler::finish() {
    Compiled out;
    out.errors = findings_.errors();
    out.warnings = findings_.warnings();
    out.files = files_;
    out.data_files = out.databases = program_->geoip_files;
    for (const PrefixSet& set : program_->sets)
        if (!set.file.empty()) out.data_files.push_back(set.file);
    for (const auto& [name, preset] : presets_.all())
        out.presets.push_back(name + ": " + preset.file);
    for (const Findings::Positioned& one : findings_.positioned())
        out.positioned.push_back({one.at.line, one.at.column, one.text});
    out.asks_connection = program_->asks_connection;
    for (const Action& action : program_->actions)
        if (const auto* how = std::get_if<action::Switch>(&action); how != nullptr && how->on)
            (how->capture ? out.captures : out.exports) = true;
    if (!findings_.failed()) out.program = program_;
    return out;
}

} // namespace

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
