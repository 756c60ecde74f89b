#include "nfqws2/base/journal.hpp"

#include <algorithm>
#include <sys/stat.h>

namespace nfqws2 {

bool leads_to_journal(int fd, const char* stream) {
    struct stat st {};
    if (stream == nullptr || fstat(fd, &st) != 0) return false;
    return std::to_string(st.st_dev) + ":" + std::to_string(st.st_ino) == stream;
}

std::string with_priority(std::string_view lines, int priority) {
    const std::string mark = "<" + std::to_string(priority) + ">";
    std::string text;
    while (!lines.empty()) {
        const std::size_t end = std::min(lines.find('\n'), lines.size());
        if (end != 0) {
            text += mark;
            text += lines.substr(0, end);
            text += '\n';
        }
        lines.remove_prefix(std::min(end + 1, lines.size()));
    }
    return text;
}

} // namespace nfqws2
