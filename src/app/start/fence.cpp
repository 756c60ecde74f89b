#include "start/fence.hpp"

#include "check/argument_files.hpp"
#include "nfqws2/base/file.hpp"
#include "nfqws2/base/idn.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/lua/machine_code.hpp"
#include "nfqws2/sandbox/landlock.hpp"
#include "nfqws2/sandbox/privileges.hpp"
#include "nfqws2/sandbox/seccomp.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nfqws2::app {
namespace {

using sandbox::FileAccess;
using sandbox::FileRules;

// What the system shows to everybody, and what belongs to no user.
constexpr const char* readable[] = {"/etc",  "/usr", "/lib",         "/lib64",      "/opt",
                                    "/proc", "/sys", "/dev/urandom", "/dev/random", "/dev/zero"};
constexpr const char* writable[] = {"/dev/null", "/dev/full"};
// Where launchers make directories for what scripts remember.
const std::vector<std::string> places_of_state = {"/opt", "/etc/zapret2*", "/var/lib/zapret2*"};
constexpr const char* rule_of_state =
    "it is not in a directory below /opt, /etc/zapret2* or /var/lib/zapret2* that belonged to the "
    "daemon's user or one of its groups at the start";

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

void allow_script(FileRules& rules, const lua::LuaInit& item) {
    if (!item.is_file) return;
    allow_nearby(rules, directory_of(item.text));
    rules.allow(item.text, FileAccess::read);
    rules.allow(item.text + ".gz", FileAccess::read);
}

void allow_scripts(FileRules& rules, const Config& config) {
    for (const lua::LuaInit& item : config.engine.lua_init)
        allow_script(rules, item);
    if (config.lua_run) allow_script(rules, config.lua_run->code);
    allow_nearby(rules, ".");
}

bool is_home_of_people(const passwd& user) {
    constexpr uid_t first_of_people = 1000, nobody = 65534;
    return user.pw_uid == 0 || (user.pw_uid >= first_of_people && user.pw_uid != nobody);
}

// Of the users in /etc/passwd alone: other sources may have to be asked over a network.
std::vector<std::string> home_directories() {
    std::vector<std::string> homes{"/home", "/root"};
    if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/')
        homes.emplace_back(home);
    if (std::FILE* file = std::fopen("/etc/passwd", "re")) {
        while (const passwd* user = fgetpwent(file))
            if (is_home_of_people(*user) && user->pw_dir[0] == '/')
                homes.emplace_back(user->pw_dir);
        std::fclose(file);
    }
    for (std::string& home : homes)
        home = absolute_path(home).value_or(home);
    std::erase(homes, "/");
    return homes;
}

bool holds_homes(const std::string& directory, const std::vector<std::string>& homes) {
    if (directory == "/" || directory_of(directory) == "/home") return true;
    return std::any_of(homes.begin(), homes.end(), [&directory](const std::string& home) {
        return sandbox::is_below(home, directory);
    });
}

// A rule of the kernel dies with its directory. That of the parent survives when an updater
// removes the directory of a list and makes it anew.
void allow_list(FileRules& rules, const std::string& file, FileAccess access,
                const std::vector<std::string>& homes) {
    rules.allow_replaceable(file, access);
    struct stat st {};
    const auto real = absolute_path(file);
    if (!real || (stat(real->c_str(), &st) == 0 && !S_ISREG(st.st_mode))) return;
    const std::string parent = directory_of(directory_of(*real));
    if (!holds_homes(parent, homes)) rules.allow(parent, FileAccess::read);
}

bool reads_names(const Config& config) {
    return std::any_of(config.list_uses.begin(), config.list_uses.end(),
                       [](const profile::ListUse& use) { return static_cast<bool>(use.hosts); });
}

// Lists are read again when they change, and automatic ones are written.
void allow_lists(FileRules& rules, const Config& config, const profile::ListStore& lists) {
    const std::vector<std::string> homes = home_directories();
    for (const profile::ListUse& use : config.list_uses) {
        const std::string& file = use.hosts ? use.hosts->file() : use.nets->file();
        if (!file.empty()) allow_list(rules, file, FileAccess::read, homes);
    }
    for (const std::string& file : lists.auto_files())
        allow_list(rules, file, FileAccess::update, homes);
    for (const ArgumentFile& file : argument_files(config.profiles))
        rules.allow_replaceable(*file.path, FileAccess::read);
}

// They are read again when they change.
void allow_rules(FileRules& rules, const Config& config) {
    for (const std::string& file : config.rules.files)
        rules.allow_replaceable(file, FileAccess::read);
    for (const std::string& file : config.rules.data_files)
        rules.allow_replaceable(file, FileAccess::read);
}

// Logs are created again when they were moved away.
void allow_logs(FileRules& rules, const Config& config) {
    if (log::target() == log::Target::file)
        rules.allow_replaceable(log::target_file(), FileAccess::update);
    if (!config.auto_debug.path.empty())
        rules.allow_replaceable(config.auto_debug.path, FileAccess::update);
}

void allow_own_places(FileRules& rules, const Config& config) {
    rules.allow("/tmp", FileAccess::full);
    if (const char* tmp = std::getenv("TMPDIR")) rules.allow(tmp, FileAccess::full);
    if (const char* dir = std::getenv("WRITABLE"); dir != nullptr && config.writable)
        rules.allow(dir, FileAccess::full);
    for (const std::string& path : config.lua_allow)
        rules.allow(path, FileAccess::full);
}

sandbox::CodePages code_pages() {
    switch (lua::find_machine_code()) {
    case lua::MachineCode::none:
        return sandbox::CodePages::none;
    case lua::MachineCode::sealed:
        return sandbox::CodePages::sealed;
    case lua::MachineCode::writable:
        break;
    }
    return sandbox::CodePages::writable;
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
    allow_rules(rules, config);
    allow_logs(rules, config);
    if (!config.reread.empty()) rules.allow_replaceable(config.reread, FileAccess::read);
    allow_own_places(rules, config);
    if (!config.state_dir.empty()) rules.allow(config.state_dir, FileAccess::full);
    return rules;
}

bool Fence::close(Config& config, const profile::ListStore& lists) {
    mode_ = config.sandbox;
    if (mode_ != sandbox::Mode::off) {
        rules_ = file_rules(config, lists);
        if (geteuid() != 0) allow_state();
        config.engine.file_gate = this;
    }
    // No library can be loaded later.
    if (mode_ != sandbox::Mode::off && reads_names(config)) can_convert_names();
    ask_kernel();
    config.fence_status = status();
    if (!config.sandbox_required || (landlock_ != 0 && seccomp_)) return true;
    log::error("--sandbox=require: this kernel cannot do it (%s)", config.fence_status.c_str());
    return false;
}

void Fence::ask_kernel() {
    // The memory of the process is a file as well; also for --uid=0 a rule keeps it from being
    // written, but not every kernel has rules.
    if (mode_ == sandbox::Mode::enforce && prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0)
        log::os_error("prctl(PR_SET_DUMPABLE)", errno);
    sandbox::forbid_new_privileges();
    if (mode_ == sandbox::Mode::enforce && sandbox::restrict_files(rules_))
        landlock_ = sandbox::landlock_version();
    seccomp_ = mode_ != sandbox::Mode::off && sandbox::forbid_system_calls(mode_, code_pages());
}

std::string Fence::status() const {
    if (mode_ == sandbox::Mode::off) return "sandbox: off";
    const std::string seccomp = seccomp_ ? "seccomp" : "seccomp is missing";
    if (mode_ == sandbox::Mode::report) return "sandbox: report, " + seccomp;
    return "sandbox: enforce, " + seccomp + ", " +
           (landlock_ != 0 ? format("Landlock %d", landlock_) : "Landlock is missing");
}

void Fence::allow_state() {
    state_ = sandbox::find_state_directories(places_of_state, sandbox::FileUser::current());
    for (const std::string& directory : state_.granted) {
        rules_.allow(directory, FileAccess::full);
        if (log::debug_enabled())
            log::debug("sandbox: scripts may write below %s", directory.c_str());
    }
    if (state_.cut)
        log::error("sandbox: more than %zu files below /opt, /etc/zapret2* and /var/lib/zapret2*: "
                   "not all were looked at for directories that scripts may write to (--lua-allow)",
                   sandbox::max_state_entries);
}

bool Fence::admits(const char* path, lua::FileUse use) const {
    if (rules_.admits(path, access_for(use))) return true;
    const bool refused = mode_ == sandbox::Mode::enforce;
    if (is_news(path))
        log::error("sandbox: %s '%s' %s forbidden to scripts%s", describe(use), path,
                   refused ? "is" : "would be", why_refused(path, use).c_str());
    return !refused;
}

// The rule that was in the way, and the option that would move it.
std::string Fence::why_refused(const char* path, lua::FileUse use) const {
    const std::string real = absolute_path(path).value_or(path);
    if (use == lua::FileUse::read) return " (--lua-allow=" + real + ")";
    const std::string directory = directory_of(real);
    std::string why;
    if (mode_ != sandbox::Mode::off && geteuid() == 0) why = "the daemon is root";
    if (why.empty()) why = state_.why_refused(directory);
    return ": " + (why.empty() ? rule_of_state : why) + " (--lua-allow=" + directory + ")";
}

// A script may try the same with every packet.
bool Fence::is_news(const char* path) const {
    constexpr std::size_t enough = 100;
    const std::lock_guard guard(lock_);
    return told_.size() < enough && told_.insert(path).second;
}

} // namespace nfqws2::app
