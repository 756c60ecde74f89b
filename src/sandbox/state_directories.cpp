// Theory of operation: a rule of Landlock covers everything below a directory and nothing can be
// taken out of it again. So a directory is granted only if everything below it, however deep, may
// be in the hands of scripts; else those of its sub-directories are looked at one by one. What root
// runs or reads as a program must never be among them: after a `chown -R` of a whole installation
// its files belong to the user, and still scripts shall not rewrite them.
//
// No link is followed, no other file system entered. What could not be looked at is not granted.
#include "nfqws2/sandbox/state_directories.hpp"
#include "nfqws2/base/sort.hpp"

#include "nfqws2/base/file.hpp"
#include "nfqws2/sandbox/file_rules.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

namespace nfqws2::sandbox {

namespace {

constexpr unsigned deepest = 32; // of what a directory takes with it

// Folders of an installation, whose files root runs, reads or replaces; and those of any program.
constexpr std::array<std::string_view, 22> folders_of_programs = {
    "binaries", "blockcheck2.d", "common", "docs",     "files",  "init.d", "ip2net", "ipset",
    "lua",      "mdig",          "nfq2",   "tests",    "bin",    "sbin",   "lib",    "lib64",
    "libexec",  "include",       "share",  "custom.d", "custom", "man"};

bool is_folder_of_programs(std::string_view name, const std::string& parent) {
    if (name == "lib" && parent.ends_with("/var")) return false; // data, by its whole name
    return std::find(folders_of_programs.begin(), folders_of_programs.end(), name) !=
           folders_of_programs.end();
}

// Read by shells of root without being executable.
bool is_sourced(std::string_view name) {
    return name == "config" || name == "config.default" || name.ends_with(".sh") ||
           name.ends_with(".conf");
}

// The order of the search, so that a large tree of other programs does not use up the count.
int rank(std::string_view name) {
    if (name.find("zapret") != std::string_view::npos ||
        name.find("nfqws") != std::string_view::npos || name == "etc" || name == "var")
        return 0;
    return name.starts_with('.') ? 2 : 1;
}

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

Directory open_directory(int at, const char* name) {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    FileDescriptor fd(openat(at, name, flags));
    DIR* dir = fd ? fdopendir(fd.get()) : nullptr;
    if (dir != nullptr) fd.release();
    return {dir, closedir};
}

struct Name {
    std::string text;
    unsigned char type;
};

class Search {
  public:
    Search(const FileUser& user, StateDirectories& found) : user_(user), found_(found) {}

    void below(const std::string& root);
    void all_beginning_with(const std::string& prefix);

  private:
    // Looks at a directory. Nothing: everything below may be in the hands of scripts; else why not.
    using Verdict = std::optional<std::string>;
    Verdict visit(int at, const char* name, const std::string& path, unsigned depth, bool inside);
    Verdict visit_entries(DIR* dir, const std::string& path, unsigned depth, bool inside);
    Verdict visit_entry(int at, const Name& name, const std::string& path, unsigned depth,
                        bool inside);
    std::optional<std::vector<Name>> read_names(DIR* dir);

    const FileUser& user_;
    StateDirectories& found_;
    std::size_t looked_at_ = 0;
    dev_t device_ = 0; // of the root
};

// `inside`: of a directory that may be granted, so that files count too.
Search::Verdict Search::visit(int at, const char* name, const std::string& path, unsigned depth,
                              bool inside) {
    const Directory dir = open_directory(at, name);
    struct stat st {};
    if (!dir || fstat(dirfd(dir.get()), &st) < 0) return "'" + path + "' cannot be read";
    if (st.st_dev != device_) return "'" + path + "' is another file system";
    const bool own = depth <= max_state_depth && user_.may_write(st.st_uid, st.st_gid, st.st_mode);
    if (!own && !inside && depth >= max_state_depth) return std::nullopt;
    if (depth > deepest) return "'" + path + "' is too deep";

    const std::size_t granted_before = found_.granted.size();
    const std::size_t refused_before = found_.refused.size();
    Verdict verdict = visit_entries(dir.get(), path, depth, own || inside);
    if (!own) return verdict;
    if (verdict) {
        found_.refused.emplace_back(path, *verdict);
        return verdict;
    }
    // It covers those below.
    found_.granted.resize(granted_before);
    found_.refused.resize(refused_before);
    found_.granted.push_back(path);
    return verdict;
}

Search::Verdict Search::visit_entries(DIR* dir, const std::string& path, unsigned depth,
                                      bool inside) {
    const auto names = read_names(dir);
    if (!names) return "there are too many files to look at all";
    Verdict verdict;
    for (const Name& name : *names) {
        Verdict of_entry = visit_entry(dirfd(dir), name, path, depth, inside);
        if (of_entry && !verdict) verdict = std::move(of_entry);
    }
    return verdict;
}

Search::Verdict Search::visit_entry(int at, const Name& name, const std::string& path,
                                    unsigned depth, bool inside) {
    if (name.type == DT_LNK) return std::nullopt;
    const bool may_be_directory = name.type == DT_DIR || name.type == DT_UNKNOWN;
    if (!inside && !may_be_directory) return std::nullopt;
    struct stat st {};
    if (fstatat(at, name.text.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0) return std::nullopt;
    const std::string full = path + "/" + name.text;
    if (S_ISDIR(st.st_mode)) {
        if (is_folder_of_programs(name.text, path)) return "'" + full + "' is a folder of programs";
        return visit(at, name.text.c_str(), full, depth + 1, inside);
    }
    if (S_ISREG(st.st_mode) && (st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0)
        return "'" + full + "' is executable";
    if (S_ISREG(st.st_mode) && is_sourced(name.text)) return "'" + full + "' may be read by shells";
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) return "'" + full + "' is a device";
    return std::nullopt;
}

std::optional<std::vector<Name>> Search::read_names(DIR* dir) {
    std::vector<Name> names;
    while (const dirent* entry = readdir(dir)) {
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        if (++looked_at_ > max_state_entries) {
            found_.cut = true;
            return std::nullopt;
        }
        names.push_back({entry->d_name, entry->d_type});
    }
    sort_stably(names, [](const Name& a, const Name& b) {
        const int of_a = rank(a.text), of_b = rank(b.text);
        return of_a != of_b ? of_a < of_b : a.text < b.text;
    });
    return names;
}

void Search::below(const std::string& root) {
    const auto real = absolute_path(root);
    const Directory dir = open_directory(AT_FDCWD, real ? real->c_str() : root.c_str());
    struct stat st {};
    if (!real || !dir || fstat(dirfd(dir.get()), &st) < 0) return;
    device_ = st.st_dev;
    visit_entries(dir.get(), *real == "/" ? "" : *real, 0, false);
}

void Search::all_beginning_with(const std::string& prefix) {
    const std::size_t slash = prefix.rfind('/');
    const auto parent = absolute_path(prefix.substr(0, slash));
    const Directory dir = open_directory(AT_FDCWD, parent ? parent->c_str() : "");
    if (!parent || !dir) return;
    const std::string begin = prefix.substr(slash + 1);
    std::vector<std::string> names; // other entries of a place like /etc are not looked at
    while (const dirent* entry = readdir(dir.get()))
        if (std::string_view(entry->d_name).starts_with(begin)) names.emplace_back(entry->d_name);
    sort_stably(names);
    for (const std::string& name : names) {
        struct stat st {};
        if (fstatat(dirfd(dir.get()), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
        if (!S_ISDIR(st.st_mode)) continue;
        device_ = st.st_dev;
        visit(dirfd(dir.get()), name.c_str(), *parent + "/" + name, 0, false);
    }
}

} // namespace

FileUser FileUser::current() {
    FileUser user{geteuid(), {}};
    const int count = getgroups(0, nullptr);
    user.groups.resize(static_cast<std::size_t>(std::max(count, 0)));
    if (count > 0 && getgroups(count, user.groups.data()) < 0) user.groups.clear();
    user.groups.push_back(getegid());
    return user;
}

bool FileUser::may_write(uid_t owner, gid_t group, mode_t mode) const {
    if (owner == uid) return (mode & S_IWUSR) != 0;
    return (mode & S_IWGRP) != 0 && std::find(groups.begin(), groups.end(), group) != groups.end();
}

std::string_view StateDirectories::why_refused(const std::string& path) const {
    const std::pair<std::string, std::string>* nearest = nullptr;
    for (const auto& item : refused)
        if (is_below(path, item.first) && (nearest == nullptr || nearest->first < item.first))
            nearest = &item;
    return nearest == nullptr ? std::string_view() : std::string_view(nearest->second);
}

StateDirectories find_state_directories(const std::vector<std::string>& roots,
                                        const FileUser& user) {
    StateDirectories found;
    Search search(user, found);
    for (const std::string& root : roots) {
        if (root.ends_with('*'))
            search.all_beginning_with(root.substr(0, root.size() - 1));
        else
            search.below(root);
    }
    return found;
}

} // namespace nfqws2::sandbox
