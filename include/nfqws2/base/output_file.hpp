// Files that the program makes or writes to while it may be root: logs, automatic lists, captures,
// the pid file. Their directories may belong to others, who must not be able to lead root
// elsewhere.
#pragma once

#include "nfqws2/base/file.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace nfqws2 {

struct OutputFile {
    FileDescriptor file;
    std::string path;          // without links
    bool created = false;      // it was not there
    bool may_be_given = false; // to the user of the daemon
    std::string error;         // why there is none

    explicit operator bool() const { return static_cast<bool>(file); }
};

// Opens for writing. `flags`: access mode, O_APPEND, O_TRUNC; a missing file is made. For root
// - links are followed only in directories that root owns and nobody else can write to; on the way
//   also those that root made in a directory of its own (/tmp/opt of some routers);
// - in a directory of somebody else it is done with that user's rights;
// - in a directory where others can make files, what is there has to be root's or the daemon's, a
//   file with a single name.
// Without a file errno is set too.
OutputFile open_output_file(const std::string& path, int flags);
// The same, but nothing is made or emptied: /dev/null stands for a file that is not there and could
// be made. What is there is still opened.
OutputFile look_at_output_file(const std::string& path, int flags);

// The same for a path without links, later on, when nothing but its own rights is left to the
// process. `flags` may have O_CREAT. On failure errno is set.
FileDescriptor reopen_output_file(const std::string& path, int flags);

// The directory of a name, held open, found by the same rules.
struct OutputPlace {
    FileDescriptor directory;
    std::string name;
    std::string path; // of the name, without links
    std::string error;
};
enum class LastLink : std::uint8_t { follow, keep };
OutputPlace find_output_place(const std::string& path, LastLink last);

// Who the program is going to be: files of this user are its own.
void expect_output_files_of(unsigned uid);

// From now on they are only looked at: this process is asked about options, and a daemon may be
// writing to their files. What is written to one that is there goes behind its end (O_APPEND).
void leave_output_files_alone();

// Gives an open file away, group unchanged. Devices and pipes keep their owner. False: errno is
// set.
bool give_output_file(const OutputFile& output, unsigned uid);

// The file that `path` names: absolute, links left as they are. nullopt with errno as
// absolute_path.
std::optional<std::string> full_path(const std::string& path);

} // namespace nfqws2
