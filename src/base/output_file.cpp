// Theory of operation: the path is walked one name after the other with open directories, so that
// nobody can exchange what was looked at. The owner and the rights of the last directory decide how
// its file is opened: by root as it is, with the rights of the directory's owner, or by root after
// a look at the file. Nothing is truncated or given away before the open descriptor was looked at.
#include "nfqws2/base/output_file.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <vector>

namespace nfqws2 {

namespace {

constexpr mode_t new_file_mode = 0666; // the umask applies
constexpr int always = O_CLOEXEC | O_NOCTTY;
constexpr uid_t root = 0;

// What becomes of a file that is not there.
enum class Missing : std::uint8_t { make, look };

uid_t future_user = root;
Missing if_missing = Missing::make;

bool is_of_root_alone(const struct stat& directory) {
    return directory.st_uid == root && (directory.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool is_ours(uid_t owner) {
    return owner == root || owner == future_user;
}

bool is_on_procfs(int directory) {
    struct statfs fs {};
    return fstatfs(directory, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

// The directory of a file, held open.
class Walk {
  public:
    bool to(const std::string& path, LastLink last); // false: error()
    FileDescriptor take_directory() { return std::move(directory_); }

    int directory() const { return directory_.get(); }
    const struct stat& facts() const { return facts_; }
    const std::string& name() const { return name_; }
    std::string path() const { return directory_path_ + "/" + name_; }
    // The name leads to an open file of a process: no name of a directory.
    bool is_magic() const { return is_magic_; }
    const std::string& error() const { return error_; }

  private:
    bool fail(int errno_value, const std::string& why = {});
    bool enter(const char* name);
    bool restart();
    bool step(LastLink last);
    bool follow(bool last);
    std::string next();

    FileDescriptor directory_;
    struct stat facts_ {};
    std::string directory_path_; // "" is the root directory
    std::string name_, rest_, error_;
    unsigned links_ = 0;
    bool is_magic_ = false;
};

bool Walk::fail(int errno_value, const std::string& why) {
    error_ = why.empty() ? std::strerror(errno_value) : why;
    errno = errno_value;
    return false;
}

bool Walk::enter(const char* name) {
    FileDescriptor inner(
        openat(directory_.get(), name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!inner || fstat(inner.get(), &facts_) < 0) return fail(errno);
    directory_ = std::move(inner);
    return true;
}

bool Walk::restart() {
    directory_.reset(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    directory_path_.clear();
    if (directory_ && fstat(directory_.get(), &facts_) == 0) return true;
    return fail(errno);
}

std::string Walk::next() {
    const std::size_t start = std::min(rest_.find_first_not_of('/'), rest_.size());
    const std::size_t end = std::min(rest_.find('/', start), rest_.size());
    std::string name = rest_.substr(start, end - start);
    rest_.erase(0, end);
    return name;
}

bool Walk::to(const std::string& path, LastLink last) {
    const auto full = full_path(path);
    if (!full) return fail(errno);
    rest_ = *full;
    if (!restart()) return false;
    while (!rest_.empty())
        if (!step(last)) return false;
    return !name_.empty() || fail(EISDIR);
}

// Takes one name. The last one stays in name_, unless it is a link that is followed.
bool Walk::step(LastLink last_link) {
    name_ = next();
    if (name_.empty() || name_ == ".") {
        name_.clear();
        return true;
    }
    if (name_ == "..") {
        name_.clear();
        directory_path_.resize(std::min(directory_path_.rfind('/'), directory_path_.size()));
        return enter("..");
    }
    const bool last = rest_.empty();
    struct stat st {};
    if (fstatat(directory_.get(), name_.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0)
        return (last && errno == ENOENT) || fail(errno);
    if (S_ISLNK(st.st_mode)) {
        if (last && last_link == LastLink::keep) return true;
        const bool made_by_root =
            !last && facts_.st_uid == root && st.st_uid == root && st.st_nlink == 1;
        if (geteuid() == root && !is_of_root_alone(facts_) && !made_by_root)
            return fail(ELOOP,
                        "'" + path() + "' is a link in a directory that others can write to");
        return follow(last);
    }
    if (last) return true;
    if (!enter(name_.c_str())) return false;
    directory_path_ = path();
    name_.clear();
    return true;
}

bool Walk::follow(bool last) {
    constexpr unsigned most_links = 40;
    if (last && is_on_procfs(directory_.get())) {
        is_magic_ = true;
        return true;
    }
    char target[PATH_MAX];
    const ssize_t size = readlinkat(directory_.get(), name_.c_str(), target, sizeof target);
    if (size < 0) return fail(errno);
    if (++links_ > most_links) return fail(ELOOP);
    rest_.insert(0, target, static_cast<std::size_t>(size));
    name_.clear();
    return rest_.front() != '/' || restart();
}

// While it lives files are opened with the rights of the owner of a directory, and of nobody else:
// root's further groups would open what they may write to.
class RightsOf {
  public:
    RightsOf(uid_t uid, gid_t gid) : group_(static_cast<gid_t>(setfsgid(gid))) {
        has_groups_ = get_groups();
        const bool alone = has_groups_ && setgroups(0, nullptr) == 0;
        setfsuid(uid);
        taken_ = alone && static_cast<uid_t>(setfsuid(static_cast<uid_t>(-1))) == uid;
    }
    ~RightsOf() {
        const int saved_errno = errno;
        setfsuid(root);
        setfsgid(group_);
        if (has_groups_) setgroups(groups_.size(), groups_.data());
        errno = saved_errno;
    }
    RightsOf(const RightsOf&) = delete;
    RightsOf& operator=(const RightsOf&) = delete;
    bool taken() const { return taken_; }

  private:
    bool get_groups() {
        const int count = getgroups(0, nullptr);
        groups_.resize(static_cast<std::size_t>(std::max(count, 0)));
        return count >= 0 && getgroups(count, groups_.data()) == count;
    }

    gid_t group_;
    std::vector<gid_t> groups_;
    bool has_groups_ = false, taken_ = false;
};

// What stands for a file that is not there, if it could be made in this directory; else -1, errno.
int stand_in(int directory) {
    if (faccessat(directory, ".", W_OK | X_OK, AT_EACCESS) != 0) return -1;
    return open("/dev/null", O_RDWR | O_CLOEXEC);
}

// Opens the file that a walk has found.
class Opening {
  public:
    Opening(const Walk& walk, int flags, Missing missing)
        : walk_(walk), flags_(flags & ~(O_CREAT | O_TRUNC)), missing_(missing) {}

    OutputFile with_own_rights(bool create);
    OutputFile with_rights_of_owner();

  private:
    int open_existing();
    int create(bool& created);
    bool look(int fd);
    void finish(OutputFile& result, int fd, bool created);

    const Walk& walk_;
    int flags_;
    Missing missing_;
    std::string why_;
};

// A pipe that somebody has put there must not stop the start.
int Opening::open_existing() {
    if (walk_.is_magic()) return openat(walk_.directory(), walk_.name().c_str(), flags_ | always);
    const bool alone = is_of_root_alone(walk_.facts());
    const int fd = openat(walk_.directory(), walk_.name().c_str(),
                          flags_ | always | O_NOFOLLOW | (alone ? 0 : O_NONBLOCK));
    if (fd >= 0 && !alone) fcntl(fd, F_SETFL, flags_ & ~O_ACCMODE);
    return fd;
}

// Another daemon that shares the file may make it at the same moment.
int Opening::create(bool& created) {
    if (missing_ == Missing::look) return stand_in(walk_.directory());
    const int fd = openat(walk_.directory(), walk_.name().c_str(),
                          flags_ | always | O_NOFOLLOW | O_CREAT | O_EXCL, new_file_mode);
    created = fd >= 0;
    return fd < 0 && errno == EEXIST ? open_existing() : fd;
}

// True: root may write to it, wherever it is.
bool Opening::look(int fd) {
    struct stat st {};
    if (walk_.is_magic() || is_of_root_alone(walk_.facts())) return true;
    if (fstat(fd, &st) < 0) {
        why_ = std::strerror(errno);
    } else if (!is_ours(st.st_uid) && st.st_uid != walk_.facts().st_uid) {
        why_ = format("it belongs to another user (uid %u)", st.st_uid);
    } else if (S_ISREG(st.st_mode) && st.st_nlink != 1) {
        why_ = "it has more than one name";
    }
    if (why_.empty()) return true;
    errno = EPERM;
    return false;
}

OutputFile Opening::with_own_rights(bool may_create) {
    OutputFile result;
    bool created = false;
    int fd = open_existing();
    if (fd < 0 && errno == ENOENT && may_create) fd = create(created);
    if (fd >= 0 && !created && !look(fd)) {
        close(fd);
        errno = EPERM;
        fd = -1;
    }
    finish(result, fd, created);
    return result;
}

// What the owner may not write to can still be a file that root or the daemon has made.
OutputFile Opening::with_rights_of_owner() {
    const struct stat& directory = walk_.facts();
    OutputFile result;
    bool created = false, refused = false, own_rights = false;
    int fd = -1;
    {
        const RightsOf owner(directory.st_uid, directory.st_gid);
        own_rights = !owner.taken();
        if (!own_rights) {
            fd = open_existing();
            refused = fd < 0 && errno == EACCES;
            if (fd < 0 && errno == ENOENT) fd = create(created);
        }
    }
    if (own_rights) return with_own_rights(true);
    if (refused) return with_own_rights(false);
    finish(result, fd, created);
    return result;
}

// Nobody but root or the daemon can have put a file of root there under a wrong name.
bool is_safe_to_give(const struct stat& file, const struct stat& directory) {
    if (file.st_uid == future_user || is_of_root_alone(directory)) return true;
    const bool sticky = directory.st_uid == root && (directory.st_mode & S_ISVTX) != 0;
    return sticky || (directory.st_uid != root && file.st_uid == directory.st_uid) ||
           (file.st_mode & S_IROTH) != 0;
}

void Opening::finish(OutputFile& result, int fd, bool created) {
    result.file.reset(fd);
    result.created = created;
    result.path = walk_.path();
    struct stat st {};
    if (fd < 0) {
        result.error = why_.empty() ? std::strerror(errno) : why_;
    } else if (fstat(fd, &st) == 0) {
        result.may_be_given = S_ISREG(st.st_mode) && st.st_nlink == 1 &&
                              (created || is_safe_to_give(st, walk_.facts()));
    }
}

OutputFile open_as_root(const std::string& path, int flags, Missing missing) {
    Walk walk;
    OutputFile result;
    if (!walk.to(path, LastLink::follow)) {
        result.error = walk.error();
        return result;
    }
    Opening opening(walk, flags, missing);
    const bool own = walk.is_magic() || walk.facts().st_uid == root;
    return own ? opening.with_own_rights(true) : opening.with_rights_of_owner();
}

// `flags` with O_CREAT.
int open_or_create(const std::string& path, int flags, Missing missing) {
    if (missing == Missing::make) return open(path.c_str(), flags | always, new_file_mode);
    const int fd = open(path.c_str(), (flags & ~O_CREAT) | always);
    if (fd >= 0 || errno != ENOENT) return fd;
    const OutputPlace place = find_output_place(path, LastLink::follow);
    if (place.directory) return stand_in(place.directory.get());
    errno = ENOENT;
    return -1;
}

OutputFile open_as_user(const std::string& path, int flags, Missing missing) {
    OutputFile result;
    result.file.reset(open_or_create(path, (flags & ~O_TRUNC) | O_CREAT, missing));
    if (!result.file) result.error = std::strerror(errno);
    if (result.file) result.path = absolute_path(path).value_or(path);
    return result;
}

} // namespace

OutputFile look_at_output_file(const std::string& path, int flags) {
    return geteuid() == root ? open_as_root(path, flags, Missing::look)
                             : open_as_user(path, flags, Missing::look);
}

OutputFile open_output_file(const std::string& path, int flags) {
    if (if_missing == Missing::look) return look_at_output_file(path, flags);
    OutputFile result = geteuid() == root ? open_as_root(path, flags, Missing::make)
                                          : open_as_user(path, flags, Missing::make);
    struct stat st {};
    if (!result || (flags & O_TRUNC) == 0) return result;
    if (fstat(result.file.get(), &st) < 0 ||
        (S_ISREG(st.st_mode) && ftruncate(result.file.get(), 0) < 0)) {
        result.error = std::strerror(errno);
        result.file.reset();
    }
    return result;
}

FileDescriptor reopen_output_file(const std::string& path, int flags) {
    // Packets are waiting: a pipe that somebody has put in the place of the file must not stop
    // them.
    const int careful = flags | O_NOFOLLOW | O_NONBLOCK;
    if (geteuid() != root && (flags & O_CREAT) != 0)
        return FileDescriptor(open_or_create(path, careful, if_missing));
    if (geteuid() != root) return FileDescriptor(open(path.c_str(), careful | always));
    Walk walk;
    if (!walk.to(path, LastLink::keep)) return {};
    return Opening(walk, flags, if_missing).with_own_rights((flags & O_CREAT) != 0).file;
}

OutputPlace find_output_place(const std::string& path, LastLink last) {
    Walk walk;
    if (!walk.to(path, last)) return {{}, {}, {}, walk.error()};
    return {walk.take_directory(), walk.name(), walk.path(), {}};
}

void leave_output_files_alone() {
    if_missing = Missing::look;
}

void expect_output_files_of(unsigned uid) {
    future_user = uid;
}

bool give_output_file(const OutputFile& output, unsigned uid) {
    struct stat st {};
    if (fstat(output.file.get(), &st) < 0) return false;
    if (!S_ISREG(st.st_mode)) return true;
    if (output.may_be_given && st.st_nlink == 1)
        return fchown(output.file.get(), uid, static_cast<gid_t>(-1)) == 0;
    errno = st.st_nlink == 1 ? EPERM : EMLINK;
    return st.st_uid == uid;
}

std::optional<std::string> full_path(const std::string& path) {
    if (!absolute_path(path)) return std::nullopt;
    if (path.front() == '/') return path;
    char directory[PATH_MAX];
    if (getcwd(directory, sizeof directory) == nullptr) return std::nullopt;
    return std::string(directory) + "/" + path;
}

} // namespace nfqws2
