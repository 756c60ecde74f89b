#include "reload/candidate.hpp"

#include "check/argument_files.hpp"
#include "check/check_detectors.hpp"
#include "check/check_instances.hpp"
#include "check/check_lists.hpp"
#include "check/check_nflua.hpp"
#include "check/check_profiles.hpp"
#include "check/check_strategies.hpp"
#include "check/check_words.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/base/sort.hpp"
#include "options/command_line.hpp"
#include "options/ct_options.hpp"
#include "start/startup.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nfqws2::app {
namespace {

constexpr const char* needs_restart = ": a restart is needed";

// As they are the same in both, what is checked about several options can rely on them.
void copy_fixed(const Config& from, Config& to) {
    to.qnum = from.qnum;
    to.workers = from.workers;
    to.intercept = from.intercept;
    to.offload_mark = from.offload_mark;
    to.engine.desync_fwmark = from.engine.desync_fwmark;
    to.engine.server = from.engine.server;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines)
        text += (text.empty() ? "" : "; ") + line;
    return text;
}

// Names the argument under which an orchestrator keeps what it learns, or its own name.
const std::string& state_key(const profile::LuaInstance& instance) {
    for (const auto& [name, value] : instance.args)
        if (name == "key" && !value.empty()) return value;
    return instance.name;
}

bool calls_the_same(const profile::LuaInstance& a, const profile::LuaInstance& b) {
    return a.func == b.func && a.args == b.args;
}

} // namespace

bool Candidate::fail(const std::string& why) {
    error_ = why;
    // The program had the right to read what it may not read now.
    const bool refused = why.find(std::strerror(EACCES)) != std::string::npos ||
                         why.find(std::strerror(EPERM)) != std::string::npos;
    if (refused && why.find("restart") == std::string::npos)
        error_ +=
            std::string(" - the running daemon may not use it (--user, --sandbox)") + needs_restart;
    return false;
}

bool Candidate::read(const std::vector<std::string>& command_line, const Arguments* arguments) {
    log::Diversion said;
    if (arguments != nullptr)
        arguments_ = *arguments;
    else if (!read_arguments(command_line))
        return false;
    const bool good = compare_fixed() && parse() && load_blobs() && load_lists() &&
                      compare_blobs() && compare_lua();
    if (!good) {
        if (const std::string text = said.take(); error_.empty()) fail(text);
        return false;
    }
    now_.arguments = arguments_;
    std::vector<Change> changes = profile_changes(around_.before.set, now_.set);
    changes.insert(changes.end(), changes_.begin(), changes_.end());
    changes_ = std::move(changes);
    forget_states();
    check();
    for (const Finding& finding : report_.findings()) {
        if (finding.level != Level::error || (finding.position && is_in_force(*finding.position)))
            continue;
        return fail((finding.position ? origin(*finding.position) : "") + finding.text);
    }
    return true;
}

// Is the option one of instances that run as they are? A start asks for less than this: what it has
// accepted is told, but keeps nobody from changing something else.
bool Candidate::is_in_force(std::size_t position) const {
    const auto is_removed = [](const lua::BlobChange& blob) { return !blob.data; };
    if (std::ranges::any_of(next_.blobs, is_removed)) return false; // they may have needed it
    const auto is_here = [position](const auto& profile) {
        return std::ranges::any_of(profile->instances, [position](const profile::LuaInstance& i) {
            return i.position == position;
        });
    };
    const auto& now = next_.profiles->profiles;
    const auto at = std::ranges::find_if(now, is_here);
    return at != now.end() &&
           std::ranges::any_of(around_.generation->profiles, [&at](const auto& before) {
               return std::ranges::equal((*at)->instances, before->instances, calls_the_same);
           });
}

bool Candidate::read_arguments(const std::vector<std::string>& command_line) {
    try {
        arguments_ = collect_arguments(command_line);
    } catch (const ConfigError& e) {
        return fail(e.what());
    }
    return true;
}

bool Candidate::compare_fixed() {
    now_.set = option_set(arguments_);
    const std::vector<std::string> differences = fixed_differences(around_.before.set, now_.set);
    return differences.empty() || fail(joined(differences) + needs_restart);
}

std::string Candidate::origin(std::size_t position) const {
    return "option '--" + state_.option_at[position] + "' (" + arguments_.where(position) + "): ";
}

bool Candidate::parse() {
    state_.reloading = true;
    copy_fixed(around_.config, state_.config);
    if (parse_options(arguments_, state_)) return false;
    try {
        finish_config(state_);
    } catch (const ConfigError& e) {
        return fail(e.what());
    }
    now_.uses_ssid = around_.before.uses_ssid;
    if (state_.config.uses_ssid && !around_.before.uses_ssid)
        return fail(std::string("--filter-ssid is new") + needs_restart);
    if (around_.config.ct == CtMode::off && uses_ct(state_.config))
        return fail(std::string("--ct is off, and filters of connections are new") + needs_restart);
    next_.profiles =
        profile::next_generation(std::move(state_.config.profiles), *around_.generation);
    return next_.profiles != nullptr ||
           fail(std::string("too many reloads of too many profiles") + needs_restart);
}

bool Candidate::load_blobs() {
    for (const ParseState::BlobFile& file : state_.blob_files) {
        try {
            state_.config.engine.blobs[file.blob].data = read_blob(file.source);
        } catch (const BadValue& e) {
            return fail(origin(file.position) + e.what());
        }
    }
    state_.blob_files.clear();
    return true;
}

bool Candidate::load_lists() {
    std::string culprit;
    lists_.keep_warnings();
    if (lists_.test_access(&culprit) && lists_.load_all(&culprit)) return true;
    for (const profile::ListUse& use : state_.config.list_uses) {
        const std::string& file = use.hosts ? use.hosts->file() : use.nets->file();
        if (file != culprit || file.empty()) continue;
        int why = 0;
        const bool readable = can_read(file, &why);
        return fail(origin(use.position) + "the file '" + file + "' cannot be used" +
                    (readable ? "" : std::string(" (") + std::strerror(why) + ")"));
    }
    return false;
}

bool Candidate::make_files() {
    std::string why;
    return lists_.make_auto_files(&why) || fail(why);
}

bool Candidate::compare_blobs() {
    const std::vector<lua::Blob>& blobs = state_.config.engine.blobs;
    now_.blobs = fingerprints(blobs);
    for (const lua::Blob& blob : blobs) {
        next_.blob_bytes += blob.data.size();
        const auto before = around_.before.blobs.find(blob.name);
        const bool known = before != around_.before.blobs.end();
        if (known && before->second == now_.blobs[blob.name]) continue;
        if (known) replaced_blobs_.insert(*before);
        changes_.push_back({"blob", 0, blob.name, known ? "changed" : "added"});
        next_.blobs.push_back({blob.name, blob.data});
    }
    for (const auto& [name, content] : around_.before.blobs) {
        if (now_.blobs.find(name) != now_.blobs.end()) continue;
        replaced_blobs_.emplace(name, content);
        changes_.push_back({"blob", 0, name, "removed"});
        next_.blobs.push_back({name, std::nullopt});
    }
    return true;
}

bool Candidate::compare_lua() {
    const std::vector<lua::LuaInit>& items = state_.config.engine.lua_init;
    now_.lua = read_lua_items(items);
    const std::vector<InForce::LuaItem>& before = around_.before.lua;
    const auto name_of = [](const lua::LuaInit& item) {
        constexpr std::size_t most = 60;
        return item.is_file ? item.text : item.text.substr(0, most);
    };
    const auto same = [](const lua::LuaInit& a, const lua::LuaInit& b) {
        return a.is_file == b.is_file && a.text == b.text;
    };
    for (std::size_t i = 0; i < now_.lua.size(); i++) {
        const InForce::LuaItem& item = now_.lua[i];
        const auto old = std::ranges::find_if(
            before, [&](const InForce::LuaItem& other) { return same(other.item, item.item); });
        if (old != before.end() && old->content == item.content) continue;
        changes_.push_back(
            {"lua-init", 0, name_of(item.item), old == before.end() ? "added" : "changed"});
        lua_items_.push_back(item.item);
    }
    for (const InForce::LuaItem& item : before) {
        const auto kept = [&](const InForce::LuaItem& other) {
            return same(other.item, item.item);
        };
        if (std::ranges::any_of(now_.lua, kept)) continue;
        return fail("--lua-init=" + std::string(item.item.is_file ? "@" : "") + name_of(item.item) +
                    " is no more, what it did cannot be undone" + needs_restart);
    }
    if (lua_items_.empty()) return true;
    if (!around_.config.lua_reload)
        return fail("--lua-init=" + std::string(lua_items_[0].is_file ? "@" : "") +
                    name_of(lua_items_[0]) + " has changed" + needs_restart +
                    ", or --lua-reload to run it again in the same state");
    for (const lua::LuaInit& item : lua_items_)
        if (const std::string error = lua::syntax_error(item); !error.empty()) return fail(error);
    return true;
}

// Names like circular_1_1 shift when profiles do: what was learned under one counts only for the
// same function with the same arguments.
void Candidate::forget_states() {
    std::map<std::string_view, const profile::LuaInstance*> now;
    for (const auto& profile : next_.profiles->profiles)
        for (const profile::LuaInstance& instance : profile->instances)
            now.emplace(instance.name, &instance);
    std::vector<std::string> kept;
    for (const auto& profile : around_.generation->profiles)
        for (const profile::LuaInstance& instance : profile->instances) {
            const auto at = now.find(instance.name);
            const bool same = at != now.end() && calls_the_same(*at->second, instance);
            (same ? kept : next_.forgotten).push_back(state_key(instance));
        }
    sort_stably(kept);
    std::erase_if(next_.forgotten,
                  [&](const std::string& key) { return std::ranges::binary_search(kept, key); });
}

void Candidate::check() {
    const Config& config = around_.config;
    const Circumstances circumstances{config.engine.server, !config.engine.ctrack_disable,
                                      config.engine.payload_disable, config.workers};
    check_words(arguments_, state_, report_);
    check_profiles(next_.profiles->profiles, report_);
    check_instances(next_.profiles->profiles, circumstances, report_);
    check_strategies(next_.profiles->profiles, report_);
    check_nflua(next_.profiles->profiles, report_);
    check_argument_files(next_.profiles->profiles, report_);
    // New code may define what is missing; then its own state is asked.
    if (!lua_items_.empty()) return;
    LuaGlobals globals = around_.globals;
    for (const lua::BlobChange& blob : next_.blobs) {
        if (blob.data)
            globals[blob.name] = "string";
        else
            globals.erase(blob.name);
    }
    check_functions(next_.profiles->profiles, globals, report_);
    check_detectors(next_.profiles->profiles, globals, report_);
}

void Candidate::look_at_lists() {
    check_lists(state_.config, report_);
}

} // namespace nfqws2::app
