// Which files the process and its scripts may open. The same rules are given to the kernel
// (landlock.hpp) and asked by the file functions of Lua, which can tell why a file is refused and
// work where the kernel knows nothing of Landlock.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace nfqws2::sandbox {

enum class FileAccess : std::uint8_t {
    read,
    update, // also write and create: lists and logs
    full    // also remove and rename
};

struct FileRule {
    std::string path; // real path; of a directory: everything below
    FileAccess access = FileAccess::read;
};

class FileRules {
  public:
    // A directory with everything below, or a file. What does not exist is left out.
    void allow(const std::string& path, FileAccess access);
    // A file that may be replaced by another of the same name, so its directory is allowed. Devices
    // and pipes are never replaced and allowed alone.
    void allow_replaceable(const std::string& file, FileAccess access);

    // Where the name leads decides; with `full` where the name itself is. True for names that lead
    // nowhere: opening them fails by itself.
    bool admits(const std::string& path, FileAccess access) const;

    std::span<const FileRule> rules() const { return rules_; }

  private:
    std::vector<FileRule> rules_;
};

// `path` is `directory` or below it; both are real paths.
bool is_below(const std::string& path, const std::string& directory);

} // namespace nfqws2::sandbox
