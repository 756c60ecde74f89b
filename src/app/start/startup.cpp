#include "start/startup.hpp"

#include "check/argument_files.hpp"
#include "check/check_nflua.hpp"
#include "nfqws2/base/file.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/profile/lua_call.hpp"
#include "nfqws2/profile/profile_builder.hpp"
#include "nfqws2/sandbox/ownership.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nfqws2::app {
namespace {

bool test_lua_file(const std::string& path) {
    int error = 0;
    if (can_read(path) || can_read(path + ".gz", &error)) return true;
    log::error("LUA file '%s' or '%s.gz' not accessible", path.c_str(), path.c_str());
    if (error == EACCES) {
        log::error("the program may have given up the privileges that are needed to read it");
        log::error("check the permissions of the file and of all directories above it");
    }
    return false;
}

} // namespace

void print_profiles(const Config& config) {
    log::status("we have %zu user defined desync profile(s) and default low priority profile 0",
                config.user_profiles);
    log::status("we have %zu user defined desync template(s)", config.templates);
    for (const auto& profile : config.profiles)
        for (const auto& instance : profile->instances)
            if (const std::string why = drops_everything(instance); !why.empty())
                log::status("instance %s: %s", instance.name.c_str(), why.c_str());
    if (!log::debug_enabled()) return;
    for (const auto& profile : config.profiles)
        for (const auto& instance : profile->instances)
            log::debug_text(profile::describe(*profile, instance));
}

bool make_writable(Config& config) {
    if (!config.writable) return true;
    std::string dir = config.writable_dir;
    mode_t mode = 0755;
    if (dir.empty()) {
        const char* tmp = std::getenv("TMPDIR");
        dir = std::string(tmp != nullptr && tmp[0] != '\0' ? tmp : "/tmp") + "/zapret2";
        mode = 0700; // it stands where everybody can look
    }
    const unsigned uid = config.privileges.drop ? config.privileges.uid : geteuid();
    if (!sandbox::make_writable_directory(dir, uid, mode)) {
        log::error("could not make writable dir for LUA : %s", dir.c_str());
        return false;
    }
    config.engine.writable = dir;
    return setenv("WRITABLE", dir.c_str(), 1) == 0 && setenv("WRITEABLE", dir.c_str(), 1) == 0;
}

std::string make_state_directory(const Config& config) {
    if (config.state_dir.empty()) return "";
    const unsigned uid = config.privileges.drop ? config.privileges.uid : geteuid();
    const std::string path = config.state_dir + "/" + std::to_string(config.qnum.value_or(0));
    if (mkdir(config.state_dir.c_str(), 0755) != 0 && errno != EEXIST) {
        log::os_error("state: cannot make '" + config.state_dir + "'", errno);
        return "";
    }
    return sandbox::make_own_directory(path, uid, 0700) ? path : "";
}

void give_files_away(Config& config, profile::ListStore& lists) {
    if (!config.privileges.drop) {
        lists.give_auto_files(std::nullopt);
        return;
    }
    const unsigned uid = config.privileges.uid;
    if (!log::give_target_file(uid)) log::os_error("chown '" + log::target_file() + "'", errno);
    if (config.auto_debug && !give_output_file(config.auto_debug, uid))
        log::os_error("chown '" + config.auto_debug.path + "'", errno);
    config.auto_debug.file.reset();
    lists.give_auto_files(uid);
}

bool test_files(const Config& config, const profile::ListStore& lists, std::string* culprit) {
    if (!lists.test_access(culprit)) return false;
    for (const ArgumentFile& file : argument_files(config.profiles)) {
        if (!file.certain) continue;
        const std::string why = why_unreadable(*file.path);
        if (why.empty()) continue;
        log::error_text(std::string(file.argument) + "=" + *file.path + " of instance " +
                        file.instance->name + ": " + why);
        *culprit = *file.path;
        return false;
    }
    for (const lua::LuaInit& item : config.engine.lua_init) {
        if (!item.is_file || test_lua_file(item.text)) continue;
        *culprit = item.text;
        return false;
    }
    if (!config.lua_run || !config.lua_run->code.is_file) return true;
    if (test_lua_file(config.lua_run->code.text)) return true;
    *culprit = config.lua_run->code.text;
    return false;
}

void blame_file(const std::string& path, const ParseState& state) {
    const Config& config = state.config;
    std::optional<std::size_t> position;
    for (const profile::ListUse& use : config.list_uses)
        if (path == (use.hosts ? use.hosts->file() : use.nets->file())) position = use.position;
    for (const ArgumentFile& file : argument_files(config.profiles))
        if (file.certain && path == *file.path) position = file.instance->position;
    for (std::size_t i = 0; i < config.lua_init_positions.size(); i++)
        if (config.engine.lua_init[i].is_file && config.engine.lua_init[i].text == path)
            position = config.lua_init_positions[i];
    if (config.lua_run && config.lua_run->code.is_file && config.lua_run->code.text == path)
        position = config.lua_run_position;
    if (path.empty() || !position) return;
    blame_option(*position, state, "the file cannot be used");
}

void blame_option(std::size_t position, const ParseState& state, const char* what) {
    log::error("nfqws2: option '--%s' (%s): %s", state.option_at[position].c_str(),
               state.arguments->where(position).c_str(), what);
}

void set_exe_dir(const char* program) {
    std::string path = program;
    if (path.find('/') == std::string::npos)
        path = "/proc/self/exe"; // found through PATH
    else
        path.resize(path.rfind('/') + 1);
    char* real = realpath(path.c_str(), nullptr);
    if (real == nullptr) {
        unsetenv("EXEDIR");
        return;
    }
    std::string dir = real;
    std::free(real);
    if (path == "/proc/self/exe") dir.resize(std::max<std::size_t>(dir.rfind('/'), 1));
    setenv("EXEDIR", dir.c_str(), 1);
}

void keep_standard_descriptors() {
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2)
        fd = dup(fd);
    if (fd > 2) close(fd);
}

} // namespace nfqws2::app
