#include "nfqws2/sandbox/file_rules.hpp"

#include "nfqws2/base/file.hpp"

#include <algorithm>
#include <sys/stat.h>

namespace nfqws2::sandbox {

namespace {

// Writing to a link that leads nowhere creates a file elsewhere.
bool is_link(const std::string& path) {
    struct stat st {};
    return lstat(path.c_str(), &st) == 0 && S_ISLNK(st.st_mode);
}

// A name that is removed or replaced counts by its directory, wherever it leads.
std::optional<std::string> place_of_name(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == path.size() - 1) return absolute_path(path);
    const auto directory =
        absolute_path(slash == std::string::npos ? "." : path.substr(0, slash + 1));
    if (!directory) return std::nullopt;
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    return *directory + (*directory == "/" ? "" : "/") + name;
}

} // namespace

bool is_below(const std::string& path, const std::string& directory) {
    if (directory == "/") return true;
    return path.starts_with(directory) &&
           (path.size() == directory.size() || path[directory.size()] == '/');
}

void FileRules::allow(const std::string& path, FileAccess access) {
    struct stat st {};
    const auto real = absolute_path(path);
    if (!real || stat(real->c_str(), &st) < 0) return;
    for (FileRule& rule : rules_) {
        if (rule.path != *real) continue;
        rule.access = std::max(rule.access, access);
        return;
    }
    rules_.push_back({*real, access});
}

void FileRules::allow_replaceable(const std::string& file, FileAccess access) {
    struct stat st {};
    const bool special = stat(file.c_str(), &st) == 0 && !S_ISREG(st.st_mode);
    const auto real = absolute_path(file);
    if (!real) return;
    allow(special ? *real : real->substr(0, std::max<std::size_t>(real->rfind('/'), 1)), access);
}

bool FileRules::admits(const std::string& path, FileAccess access) const {
    if (path.empty()) return true;
    const bool by_name = access == FileAccess::full;
    const auto real = by_name ? place_of_name(path) : absolute_path(path);
    if (!real) return true;
    if (access == FileAccess::update && is_link(*real)) return false;
    return std::any_of(rules_.begin(), rules_.end(), [&](const FileRule& rule) {
        return rule.access >= access && is_below(*real, rule.path);
    });
}

} // namespace nfqws2::sandbox
