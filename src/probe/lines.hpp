// Lines of a file, and parts of a line.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace nfqws2::probe {

class Lines {
  public:
    explicit Lines(std::FILE* file) : file_(file) {}
    Lines(const Lines&) = delete;
    Lines& operator=(const Lines&) = delete;
    ~Lines() { std::free(text_); }

    // The next one, without its end; false at the end of the file.
    bool next(std::string& line) {
        const ssize_t length = getline(&text_, &size_, file_);
        if (length <= 0) {
            return false;
        }
        line.assign(text_, static_cast<std::size_t>(length));
        line.erase(line.find_last_not_of("\r\n") + 1);
        return true;
    }

  private:
    std::FILE* file_;
    char* text_ = nullptr;
    std::size_t size_ = 0;
};

// Calls take(line) for each line of a file. One that is not there has none.
template <typename Take> void each_line(const std::string& path, const Take& take) {
    std::FILE* const file = std::fopen(path.c_str(), "re");
    if (file == nullptr) {
        return;
    }
    std::string line;
    for (Lines lines(file); lines.next(line);) {
        take(line);
    }
    std::fclose(file);
}

// What stands before the first `end`, or all; the text becomes what stands behind it.
inline std::string_view take_part(std::string_view& text, char end) {
    const std::string_view part = text.substr(0, text.find(end));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    return part;
}

// False: it could not be written, all of it.
inline bool write_text(std::string_view text, std::FILE* file) {
    return std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0;
}

} // namespace nfqws2::probe
