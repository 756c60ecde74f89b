#include "nfqws2/base/file.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

namespace nfqws2 {

namespace {

constexpr std::size_t chunk = 64 * 1024;

ReadResult failure(const std::string& what, const std::string& why) {
    return {{}, what + ": " + why};
}

std::optional<std::string> real_path(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> resolved(realpath(path.c_str(), nullptr),
                                                               &std::free);
    if (!resolved) return std::nullopt;
    return std::string(resolved.get());
}

// First guess for the size of the inflated data: what the trailer says, if deflate could do it.
std::size_t inflated_size_hint(Bytes compressed, std::size_t limit) {
    constexpr std::size_t max_ratio = 1032;
    if (compressed.size() < 18) return 0;
    const std::uint8_t* t = compressed.data() + compressed.size() - 4;
    const std::uint8_t big_endian[4] = {t[3], t[2], t[1], t[0]};
    const std::size_t said = load_be32(big_endian);
    if (compressed.size() <= SIZE_MAX / max_ratio && said > compressed.size() * max_ratio) return 0;
    return std::min(said, limit);
}

class Inflater {
  public:
    Inflater() : ready_(inflateInit2(&stream_, 16 + MAX_WBITS) == Z_OK) {}
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
    ~Inflater() {
        if (ready_) inflateEnd(&stream_);
    }
    bool ready() const { return ready_; }
    z_stream& stream() { return stream_; }

  private:
    z_stream stream_{};
    bool ready_;
};

uInt piece(std::size_t n) {
    return static_cast<uInt>(std::min<std::size_t>(n, UINT_MAX));
}

} // namespace

void FileDescriptor::reset(int fd) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
}

int wait_until_ready(int fd, short events, int patience_ms) {
    pollfd waiting{fd, events, 0};
    int ready = 0;
    do
        ready = poll(&waiting, 1, patience_ms);
    while (ready < 0 && errno == EINTR);
    return ready;
}

ReadResult read_file(const std::string& path, std::size_t limit, int patience_ms) {
    const bool patient = patience_ms < 0;
    const FileDescriptor fd(
        open(path.c_str(), O_RDONLY | O_CLOEXEC | (patient ? 0 : O_NONBLOCK | O_NOCTTY)));
    struct stat st {};
    if (!fd || fstat(fd.get(), &st) < 0) return failure(path, std::strerror(errno));
    const bool may_wait = !patient && S_ISFIFO(st.st_mode);
    if (!patient && !may_wait) fcntl(fd.get(), F_SETFL, 0);

    ReadResult result;
    const bool sized = S_ISREG(st.st_mode) && st.st_size > 0;
    if (sized && static_cast<std::uint64_t>(st.st_size) > limit)
        return failure(path, "file is too large");
    // One byte more than the file, so that the end is seen without growing.
    std::size_t room = sized ? static_cast<std::size_t>(st.st_size) + 1 : chunk;
    std::size_t used = 0;
    for (;;) {
        if (used == result.data.size()) result.data.resize(used + std::max(room, used / 2));
        room = chunk;
        // Before its first writer a pipe would seem to be at its end.
        if (may_wait && wait_until_ready(fd.get(), POLLIN, patience_ms) == 0)
            return failure(path,
                           format("nothing comes through the pipe for %d s", patience_ms / 1000));
        const ssize_t n = read(fd.get(), result.data.data() + used, result.data.size() - used);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failure(path, std::strerror(errno));
        if (n == 0) break;
        used += static_cast<std::size_t>(n);
        if (used > limit) return failure(path, "file is too large");
    }
    result.data.resize(used);
    return result;
}

bool is_gzip(Bytes data) {
    return data.size() >= 2 && data[0] == 0x1F && data[1] == 0x8B;
}

ReadResult gunzip(Bytes compressed, std::size_t limit) {
    Inflater inflater;
    if (!inflater.ready()) return failure("gzip", "out of memory");
    z_stream& z = inflater.stream();

    ReadResult result;
    std::vector<std::uint8_t>& out = result.data;
    const std::size_t hint = inflated_size_hint(compressed, limit);
    out.resize(hint < chunk ? chunk : hint + 1);
    std::size_t used = 0;
    for (;;) {
        if (used == out.size()) out.resize(used + std::max(chunk, used / 2));
        const uInt in = piece(compressed.size());
        const uInt room = piece(out.size() - used);
        z.next_in = const_cast<Bytef*>(compressed.data()); // zlib's interface lacks the const
        z.avail_in = in;
        z.next_out = out.data() + used;
        z.avail_out = room;
        const int status = inflate(&z, Z_NO_FLUSH);
        compressed = compressed.subspan(in - z.avail_in);
        used += room - z.avail_out;
        if (used > limit) return failure("gzip", "inflated data is too large");
        if (status == Z_STREAM_END) break;
        if (status == Z_BUF_ERROR || (status == Z_OK && compressed.empty() && z.avail_out != 0))
            return failure("gzip", "unexpected end of data");
        if (status != Z_OK) return failure("gzip", z.msg != nullptr ? z.msg : "bad data");
    }
    out.resize(used);
    return result;
}

ReadResult read_file_maybe_gzip(const std::string& path, std::size_t limit) {
    ReadResult raw = read_file(path, limit);
    if (!raw.ok() || !is_gzip(raw.data)) return raw;
    ReadResult inflated = gunzip(raw.data, limit);
    if (!inflated.ok()) return failure(path, inflated.error);
    return inflated;
}

std::optional<std::string> absolute_path(const std::string& path) {
    if (path.empty()) return std::nullopt;
    if (auto whole = real_path(path)) return whole;

    const std::size_t slash = path.rfind('/');
    const std::string base = slash == std::string::npos ? path : path.substr(slash + 1);
    if (base.empty() || base == "." || base == "..") return std::nullopt;
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    auto resolved = real_path(directory);
    if (!resolved) return std::nullopt;
    if (resolved->back() != '/') *resolved += '/';
    return *resolved + base;
}

bool can_read(const std::string& path, int* errno_value) {
    // Not blocking: a named pipe without a writer would stop the start for ever.
    const FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    int why = fd ? 0 : errno;
    struct stat st {};
    if (fd && fstat(fd.get(), &st) < 0) why = errno;
    if (why == 0 && S_ISDIR(st.st_mode)) why = EISDIR;
    if (errno_value != nullptr) *errno_value = why;
    return why == 0;
}

} // namespace nfqws2
