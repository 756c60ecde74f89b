#include "nfqws2/sandbox/ownership.hpp"

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/base/output_file.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/sandbox/privileges.hpp"

#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace nfqws2::sandbox {

namespace {

constexpr gid_t same_group = static_cast<gid_t>(-1);

bool refuse(const std::string& path, const std::string& why) {
    log::error("writable directory '%s': %s", path.c_str(), why.c_str());
    return false;
}

std::string remedy(const std::string& path, unsigned uid) {
    return nfqws2::format("; give it to the user of the daemon (chown %u %s), remove it, or name "
                          "another one (--writable=<dir>)",
                          uid, path.c_str());
}

// Everybody may make entries in the directory that holds this one (/tmp).
bool is_in_public_place(int directory) {
    struct stat parent {};
    return fstatat(directory, "..", &parent, 0) != 0 || (parent.st_mode & S_IWOTH) != 0;
}

bool is_known_owner(uid_t owner, unsigned uid) {
    return owner == 0 || owner == geteuid() || owner == uid || owner == Identity{}.uid;
}

bool can_create_files(int directory) {
    constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const std::string name = nfqws2::format(".nfqws2-test-%d", getpid());
    const FileDescriptor file(openat(directory, name.c_str(), flags, 0600));
    if (!file) return false;
    unlinkat(directory, name.c_str(), 0);
    return true;
}

struct CloseDirectory {
    void operator()(DIR* directory) const { closedir(directory); }
};

// A file of another owner may be a link to something else that he could not write to.
void give_files(const std::string& path, uid_t from, uid_t to) {
    const std::unique_ptr<DIR, CloseDirectory> directory(opendir(path.c_str()));
    while (const dirent* entry = directory ? readdir(directory.get()) : nullptr) {
        const FileDescriptor file(
            openat(dirfd(directory.get()), entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
        struct stat st {};
        if (!file || fstat(file.get(), &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != from)
            continue;
        if (fchownat(file.get(), "", to, same_group, AT_EMPTY_PATH) < 0)
            log::os_error("chown '" + path + "/" + entry->d_name + "'", errno);
    }
}

} // namespace

bool make_writable_directory(const std::string& path, unsigned uid, mode_t mode) {
    const OutputPlace place = find_output_place(path, LastLink::keep);
    if (!place.directory) return refuse(path, place.error);
    if (mkdirat(place.directory.get(), place.name.c_str(), mode) < 0 && errno != EEXIST)
        return refuse(path, std::strerror(errno));
    const FileDescriptor directory(openat(place.directory.get(), place.name.c_str(),
                                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat st {};
    if (!directory || fstat(directory.get(), &st) < 0) {
        const bool wrong_kind = errno == ENOTDIR || errno == ELOOP;
        return refuse(path, wrong_kind ? "is not a directory" : std::strerror(errno));
    }
    if (!is_known_owner(st.st_uid, uid) && is_in_public_place(directory.get()))
        return refuse(path, nfqws2::format("belongs to another user (uid %u)", st.st_uid) +
                                remedy(path, uid));
    if (fchown(directory.get(), uid, same_group) == 0) return true;
    if (can_create_files(directory.get())) return true;
    std::string why = std::strerror(errno);
    if (st.st_uid != uid)
        why += nfqws2::format(", it belongs to uid %u", st.st_uid) + remedy(path, uid);
    return refuse(path, why);
}

bool make_own_directory(const std::string& path, unsigned uid, mode_t mode) {
    struct stat before {};
    const bool was_there = lstat(path.c_str(), &before) == 0;
    if (!make_writable_directory(path, uid, mode)) return false;
    if (was_there && before.st_uid != uid) give_files(path, before.st_uid, uid);
    return true;
}

} // namespace nfqws2::sandbox
