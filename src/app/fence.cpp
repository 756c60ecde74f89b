#include "nfqws2/app/fence.hpp"

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/sandbox/landlock.hpp"
#include "nfqws2/sandbox/privileges.hpp"
#include "nfqws2/sandbox/seccomp.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sys/prctl.h>

namespace nfqws2::app {
namespace {

using sandbox::FileAccess;
using sandbox::FileRules;

// What the system shows to everybody, and what belongs to no user.
constexpr const char* readable[] = {"/etc",  "/usr", "/lib",         "/lib64",      "/opt",
                                    "/proc", "/sys", "/dev/urandom", "/dev/random", "/dev/zero"};
constexpr const char* writable[] = {"/dev/null", "/dev/full"};

std::string directory_of(const std::string& path) {
    return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
}

// A directory in which a script or the program was found, but not if all homes are in it, as they
// are in the root directory, or one's own is.
void allow_nearby(FileRules& rules, const std::string& directory) {
    const char* home = std::getenv("HOME");
    const auto real_home = absolute_path(home != nullptr && home[0] == '/' ? home : "/root");
    const auto real = absolute_path(directory);
    if (real && !sandbox::is_below(real_home.value_or("/root"), *real))
        rules.allow(*real, FileAccess::read);
}

void allow_scripts(FileRules& rules, const Config& config) {
    for (const engine::LuaInit& item : config.engine.lua_init) {
        if (!item.is_file) continue;
        allow_nearby(rules, directory_of(item.text));
        rules.allow(item.text, FileAccess::read);
        rules.allow(item.text + ".gz", FileAccess::read);
    }
    allow_nearby(rules, ".");
}

// Lists are read again when they change, and automatic ones are written.
void allow_lists(FileRules& rules, const Config& config, const profile::ListStore& lists) {
    for (const profile::ListUse& use : config.list_uses) {
        const std::string& file = use.hosts ? use.hosts->file() : use.nets->file();
        if (!file.empty()) rules.allow_replaceable(file, FileAccess::read);
    }
    for (const std::string& file : lists.auto_files())
        rules.allow_replaceable(file, FileAccess::update);
}

// Logs are created again when they were moved away.
void allow_logs(FileRules& rules, const Config& config) {
    if (log::target() == log::Target::file)
        rules.allow_replaceable(log::target_file(), FileAccess::update);
    if (!config.auto_debug_file.empty())
        rules.allow_replaceable(config.auto_debug_file, FileAccess::update);
}

void allow_own_places(FileRules& rules, const Config& config) {
    rules.allow("/tmp", FileAccess::full);
    if (const char* tmp = std::getenv("TMPDIR")) rules.allow(tmp, FileAccess::full);
    if (const char* dir = std::getenv("WRITABLE"); dir != nullptr && config.writable)
        rules.allow(dir, FileAccess::full);
    for (const std::string& path : config.lua_allow)
        rules.allow(path, FileAccess::full);
}

FileAccess access_for(lua::FileUse use) {
    switch (use) {
    case lua::FileUse::read:
        return FileAccess::read;
    case lua::FileUse::write:
        return FileAccess::update;
    case lua::FileUse::remove:
        break;
    }
    return FileAccess::full;
}

const char* describe(lua::FileUse use) {
    switch (use) {
    case lua::FileUse::read:
        return "reading";
    case lua::FileUse::write:
        return "writing";
    case lua::FileUse::remove:
        break;
    }
    return "removing or renaming";
}

} // namespace

FileRules file_rules(const Config& config, const profile::ListStore& lists) {
    FileRules rules;
    for (const char* path : readable)
        rules.allow(path, FileAccess::read);
    for (const char* path : writable)
        rules.allow(path, FileAccess::update);
    allow_scripts(rules, config);
    allow_lists(rules, config, lists);
    allow_logs(rules, config);
    allow_own_places(rules, config);
    return rules;
}

void Fence::close(Config& config, const profile::ListStore& lists) {
    mode_ = config.sandbox;
    if (mode_ != sandbox::Mode::off) {
        rules_ = file_rules(config, lists);
        config.engine.file_gate = this;
    }
    // The memory of the process is a file as well; also for --uid=0 a rule keeps it from being
    // written, but not every kernel has rules.
    if (mode_ == sandbox::Mode::enforce && prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0)
        log::os_error("prctl(PR_SET_DUMPABLE)", errno);
    sandbox::forbid_new_privileges();
    if (mode_ == sandbox::Mode::enforce) sandbox::restrict_files(rules_);
    sandbox::forbid_system_calls(mode_);
}

bool Fence::admits(const char* path, lua::FileUse use) const {
    if (rules_.admits(path, access_for(use))) return true;
    const bool refused = mode_ == sandbox::Mode::enforce;
    if (is_news(path))
        log::error("sandbox: %s '%s' %s forbidden to scripts (--lua-allow)", describe(use), path,
                   refused ? "is" : "would be");
    return !refused;
}

// A script may try the same with every packet.
bool Fence::is_news(const char* path) const {
    constexpr std::size_t enough = 100;
    const std::lock_guard guard(lock_);
    return told_.size() < enough && told_.insert(path).second;
}

} // namespace nfqws2::app
