// Theory of operation: a ruleset names the rights that are taken away, its rules give some of them
// back below an open directory. Each version of Landlock knows more rights and refuses a ruleset
// with unknown ones. Rules belong to directories, not to names: files may come and go below, but a
// directory that is removed and made again is another one. Numbers are spelt out because the
// headers of older tool chains lack them.
#include "nfqws2/sandbox/landlock.hpp"

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/log.hpp"

#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nfqws2::sandbox {

namespace {

// The same on all architectures, but counted from elsewhere on MIPS and Alpha.
#if defined(SYS_landlock_create_ruleset)
constexpr long call_create = SYS_landlock_create_ruleset;
#elif defined(__alpha__)
constexpr long call_create = 554;
#else
constexpr long call_create = SYS_read / 1000 * 1000 + 444;
#endif
constexpr long call_add_rule = call_create + 1, call_restrict_self = call_create + 2;

constexpr unsigned ask_version = 1, rule_path_beneath = 1;

// The rights of files.
constexpr std::uint64_t write_file = 1 << 1, read_file = 1 << 2, read_dir = 1 << 3,
                        remove_file = 1 << 5, make_regular = 1 << 8, refer = 1 << 13,
                        truncate_file = 1 << 14, ioctl_device = 1 << 15;
constexpr std::uint64_t of_version_1 = (1 << 13) - 1;
constexpr std::uint64_t of_a_file = write_file | read_file | truncate_file;

// Everything of TCP; signals to processes outside.
constexpr std::uint64_t bind_and_connect_tcp = 3, scope_signal = 2;

struct Ruleset {
    std::uint64_t files = 0, network = 0, scoped = 0;
};

struct [[gnu::packed]] PathRule {
    std::uint64_t granted;
    std::int32_t directory;
};

// The kernel refuses a structure with parts it does not know.
std::size_t size_of_ruleset(int version) {
    if (version >= 6) return sizeof(Ruleset);
    return version >= 4 ? offsetof(Ruleset, scoped) : offsetof(Ruleset, network);
}

FileDescriptor create_ruleset(int version) {
    Ruleset ruleset;
    ruleset.files = watched_file_rights(version);
    if (version >= 4) ruleset.network = bind_and_connect_tcp;
    if (version >= 6) ruleset.scoped = scope_signal;
    return FileDescriptor(
        static_cast<int>(syscall(call_create, &ruleset, size_of_ruleset(version), 0)));
}

// A path that cannot be reached now cannot be opened later either.
bool add_rule(int ruleset, const FileRule& rule, int version) {
    const FileDescriptor target(open(rule.path.c_str(), O_PATH | O_CLOEXEC));
    struct stat st {};
    if (!target || fstat(target.get(), &st) < 0) return true;
    const PathRule path_rule{granted_file_rights(rule.access, S_ISDIR(st.st_mode), version),
                             target.get()};
    if (syscall(call_add_rule, ruleset, rule_path_beneath, &path_rule, 0) == 0) return true;
    log::os_error("landlock '" + rule.path + "'", errno);
    return false;
}

} // namespace

int landlock_version() {
    const long version = syscall(call_create, nullptr, 0, ask_version);
    return version > 0 ? static_cast<int>(version) : 0;
}

std::uint64_t watched_file_rights(int version) {
    if (version < 1) return 0;
    std::uint64_t rights = of_version_1;
    if (version >= 2) rights |= refer;
    if (version >= 3) rights |= truncate_file;
    if (version >= 5) rights |= ioctl_device;
    return rights;
}

std::uint64_t granted_file_rights(FileAccess access, bool directory, int version) {
    std::uint64_t rights = read_file | read_dir;
    if (access >= FileAccess::update) rights |= write_file | make_regular | truncate_file;
    if (access >= FileAccess::full) rights |= remove_file | refer;
    if (!directory) rights &= of_a_file;
    return rights & watched_file_rights(version);
}

bool restrict_files(const FileRules& rules) {
    const int version = landlock_version();
    if (version == 0) {
        log::error("sandbox: this kernel has no Landlock, only the functions of Lua keep to the "
                   "rules of files");
        return false;
    }
    const FileDescriptor ruleset = create_ruleset(version);
    if (!ruleset) {
        log::os_error("landlock", errno);
        return false;
    }
    for (const FileRule& rule : rules.rules())
        if (!add_rule(ruleset.get(), rule, version)) return false;
    if (syscall(call_restrict_self, ruleset.get(), 0) != 0) {
        log::os_error("landlock", errno);
        return false;
    }
    if (log::debug_enabled())
        log::debug("sandbox: Landlock version %d, %zu rules", version, rules.rules().size());
    return true;
}

} // namespace nfqws2::sandbox
