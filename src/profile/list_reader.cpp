#include "nfqws2/profile/list_reader.hpp"

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/file.hpp"
#include "nfqws2/base/text.hpp"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace nfqws2::profile {

namespace {

constexpr std::size_t buffer_size = 128 * 1024;
constexpr std::size_t compressed_size = 32 * 1024;
constexpr int gzip_window_bits = 15 + 16;

// What was a file when it was looked at may be a pipe by now, whose opening would wait.
constexpr int open_flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}
bool is_line_end(char c) {
    return c == '\n' || c == '\r' || c == '\0';
}

// Text on its way to the scanner: pieces are appended, whole lines are taken out.
class TextBuffer {
  public:
    explicit TextBuffer(const ListScanner::Entry& entry) : scanner_(entry), buffer_(buffer_size) {}

    MutBytes free_space() { return MutBytes(buffer_).subspan(filled_); }
    void filled(std::size_t count) {
        filled_ += count;
        drain(false);
    }
    void finish() { drain(true); }
    bool utf16() const { return scanner_.utf16(); }

  private:
    void drain(bool last) {
        std::size_t used = scanner_.scan(as_text(Bytes(buffer_).first(filled_)), last);
        if (used == 0 && filled_ == buffer_.size())
            used = scanner_.scan_oversized(as_text(buffer_));
        filled_ -= used;
        std::memmove(buffer_.data(), buffer_.data() + used, filled_);
    }

    ListScanner scanner_;
    std::vector<std::uint8_t> buffer_;
    std::size_t filled_ = 0;
};

// read(2) until something was read; -1 on error.
ssize_t read_some(int fd, MutBytes to) {
    ssize_t count;
    do
        count = read(fd, to.data(), to.size());
    while (count < 0 && errno == EINTR);
    return count;
}

class Inflater {
  public:
    Inflater() { ok_ = inflateInit2(&stream_, gzip_window_bits) == Z_OK; }
    ~Inflater() {
        if (ok_) inflateEnd(&stream_);
    }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    // Inflates all of `data` into `text`; Z_STREAM_END after the first member.
    int feed(MutBytes data, TextBuffer& text, std::uint64_t& bytes) {
        if (!ok_) return Z_MEM_ERROR;
        stream_.next_in = data.data();
        stream_.avail_in = static_cast<uInt>(data.size());
        for (;;) {
            const MutBytes space = text.free_space();
            stream_.next_out = space.data();
            stream_.avail_out = static_cast<uInt>(space.size());
            const int result = inflate(&stream_, Z_NO_FLUSH);
            const std::size_t produced = space.size() - stream_.avail_out;
            bytes += produced;
            text.filled(produced);
            if (result == Z_BUF_ERROR) return Z_OK; // wants more input
            if (result != Z_OK) return result;
            if (stream_.avail_in == 0 && stream_.avail_out > 0) return Z_OK;
        }
    }

  private:
    z_stream stream_{};
    bool ok_ = false;
};

ListFileResult failed(ListFileResult result, std::string error) {
    result.error = std::move(error);
    return result;
}

std::string read_error(const std::string& path, int errno_value) {
    return path + ": " + std::strerror(errno_value);
}

FileDescriptor open_list_file(const std::string& path, std::string* error) {
    FileDescriptor fd(open(path.c_str(), open_flags));
    struct stat st {};
    if (!fd || fstat(fd.get(), &st) < 0) {
        *error = read_error(path, errno);
        return {};
    }
    if (!is_endless(st)) return fd;
    *error = path + ": not a regular file";
    return {};
}

std::string too_long(const std::string& path, std::uint64_t limit) {
    constexpr std::uint64_t megabyte = 1024 * 1024;
    return path + ": more than " + std::to_string(limit / megabyte) + " MB of text";
}

ListFileResult scan_gzip(int fd, const std::string& path, TextBuffer& text, std::uint64_t limit) {
    ListFileResult result;
    result.gzip = true;
    Inflater inflater;
    std::vector<std::uint8_t> compressed(compressed_size);
    for (;;) {
        const ssize_t count = read_some(fd, compressed);
        if (count < 0) return failed(result, read_error(path, errno));
        const int state =
            count == 0 ? Z_DATA_ERROR // truncated
                       : inflater.feed(MutBytes(compressed).first(static_cast<std::size_t>(count)),
                                       text, result.bytes);
        if (state == Z_STREAM_END) break;
        if (state != Z_OK)
            return failed(result, "zlib decompression failed : result " + std::to_string(state));
        if (result.bytes > limit) return failed(result, too_long(path, limit));
    }
    text.finish();
    result.ok = true;
    return result;
}

ListFileResult scan_plain(int fd, const std::string& path, TextBuffer& text, std::uint64_t limit) {
    ListFileResult result;
    for (;;) {
        const ssize_t count = read_some(fd, text.free_space());
        if (count < 0) return failed(result, read_error(path, errno));
        if (count == 0) break;
        result.bytes += static_cast<std::size_t>(count);
        if (result.bytes > limit) return failed(result, too_long(path, limit));
        text.filled(static_cast<std::size_t>(count));
    }
    text.finish();
    result.ok = true;
    return result;
}

} // namespace

std::size_t ListScanner::scan(std::string_view text, bool last) {
    std::size_t start = 0;
    while (start < text.size()) {
        const void* end = std::memchr(text.data() + start, '\n', text.size() - start);
        if (end == nullptr && !last) break;
        const std::size_t stop =
            end == nullptr ? text.size()
                           : static_cast<std::size_t>(static_cast<const char*>(end) - text.data());
        scan_line(text.substr(start, stop - start));
        start = end == nullptr ? stop : stop + 1;
    }
    return start;
}

std::size_t ListScanner::scan_oversized(std::string_view text) {
    const std::size_t end = text.find_last_of(std::string_view("\r\0", 2));
    const bool whole = end == std::string_view::npos;
    if (!whole) text = text.substr(0, end + 1);
    scan_line(text);
    --line_; // it goes on
    if (whole) skipping_ = true;
    return text.size();
}

// One line up to LF; CR and NUL inside it end a line too.
void ListScanner::scan_line(std::string_view line) {
    std::size_t i = 0;
    if (first_) { // a byte order mark would spoil the first entry
        first_ = false;
        i = line.size() - without_byte_order_mark(line).size();
        utf16_ = is_utf16(line);
    }
    if (skipping_) {
        while (i < line.size() && !is_line_end(line[i]))
            ++i;
        skipping_ = false;
    }
    while (i < line.size()) {
        while (i < line.size() && is_blank(line[i]))
            ++i;
        const std::size_t start = i;
        while (i < line.size() && !is_blank(line[i]) && !is_line_end(line[i]))
            ++i;
        const std::size_t end = i;
        while (i < line.size() && is_blank(line[i]))
            ++i;
        const std::size_t rest = i;
        while (i < line.size() && !is_line_end(line[i]))
            ++i;
        if (end > start && line[start] != '#' && line[start] != ';' && line[start] != '/')
            entry_(line.substr(start, end - start), {line_, line.substr(rest, i - rest)});
        while (i < line.size() && is_line_end(line[i]))
            ++i;
    }
    ++line_;
}

ListFileResult scan_list_file(const std::string& path, const ListScanner::Entry& entry,
                              FileDescriptor opened, std::uint64_t limit) {
    std::string error;
    const FileDescriptor fd = opened ? std::move(opened) : open_list_file(path, &error);
    if (!fd) return failed({}, error);
    TextBuffer text(entry);
    ListFileResult result = is_gzip_file(fd.get()) ? scan_gzip(fd.get(), path, text, limit)
                                                   : scan_plain(fd.get(), path, text, limit);
    result.opened = true;
    result.utf16 = text.utf16();
    return result;
}

bool is_endless(const struct stat& st) {
    const bool null_device = S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
    return !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !null_device;
}

bool is_gzip_file(const std::string& path) {
    const FileDescriptor fd(open(path.c_str(), open_flags));
    return fd && is_gzip_file(fd.get());
}

bool is_gzip_file(int fd) {
    std::array<std::uint8_t, 2> magic;
    return pread(fd, magic.data(), magic.size(), 0) == 2 && is_gzip(magic);
}

void scan_list_items(std::string_view items, const ListScanner::Entry& entry) {
    while (!items.empty()) {
        const std::size_t comma = items.find(',');
        ListScanner scanner(entry);
        scanner.scan(items.substr(0, comma), true);
        items.remove_prefix(comma == std::string_view::npos ? items.size() : comma + 1);
    }
}

} // namespace nfqws2::profile
