#include "options/blob_value.hpp"

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nfqws2::app {
namespace {

// Files without a known size (pipes, devices, /proc) are read up to this many bytes.
constexpr std::size_t unsized_limit = 16384;

BadValue unreadable(const std::string& path) {
    return BadValue("could not read '" + path + "' (" + std::strerror(errno) + ")");
}

// Opened at the place where reading begins.
void open_part(BlobSource& source, const std::string& path, std::uint64_t offset) {
    source.path = path;
    source.file.reset(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!source.file || fstat(source.file.get(), &info) != 0)
        throw BadValue("cannot access file '" + path + "' (" + std::strerror(errno) + ")");
    const auto size = static_cast<std::uint64_t>(info.st_size);
    errno = EISDIR;
    if (S_ISDIR(info.st_mode)) throw unreadable(path);
    if (size > 0 && offset >= size)
        throw BadValue(format("offset %llu is beyond file size %llu",
                              static_cast<unsigned long long>(offset),
                              static_cast<unsigned long long>(size)));
    if (offset > 0 && size > 0 &&
        lseek(source.file.get(), static_cast<off_t>(offset), SEEK_SET) < 0)
        throw unreadable(path);
    source.size = size > 0 ? size - offset : unsized_limit;
    if (source.size > source.blob.data.max_size())
        throw BadValue("file '" + path + "' is too large for a blob");
}

void open_source(BlobSource& blob, const std::string& source) {
    if (source.starts_with("0x")) {
        auto bytes = from_hex(std::string_view(source).substr(2));
        if (!bytes || bytes->empty())
            throw BadValue("invalid hex string: " + source.substr(2) +
                           " (should be pairs of hex digits)");
        blob.blob.data = std::move(*bytes);
        return;
    }
    if (source.starts_with('+')) {
        const std::size_t at = source.find('@');
        std::size_t digits = source.find_first_not_of("0123456789", 1);
        if (digits == std::string::npos) digits = source.size();
        const auto offset = parse_uint(std::string_view(source).substr(1, digits - 1));
        if (!offset) throw BadValue("bad offset in '" + source + "', should be like +100@file");
        open_part(blob, at == std::string::npos ? "" : source.substr(at + 1), *offset);
        return;
    }
    open_part(blob, source.starts_with('@') ? source.substr(1) : source, 0);
}

} // namespace

BlobSource open_blob(const std::string& text, const std::vector<lua::Blob>& existing) {
    static constexpr const char* predefined[] = {"fake_default_tls", "fake_default_http",
                                                 "fake_default_quic"};
    const std::size_t colon = text.find(':');
    const std::string name = text.substr(0, colon);
    if (!is_identifier(name)) throw BadValue("bad identifier '" + name + "'");
    if (colon == std::string::npos || colon + 1 == text.size())
        throw BadValue("blob '" + name + "' has no source, should be " + name + ":0xHEX or " +
                       name + ":[+offset]@file");
    const auto same_name = [&](const lua::Blob& b) { return b.name == name; };
    if (std::ranges::find(predefined, name) != std::end(predefined) ||
        std::ranges::any_of(existing, same_name))
        throw BadValue("duplicate blob name '" + name + "'");
    BlobSource source;
    source.blob.name = name;
    open_source(source, text.substr(colon + 1));
    return source;
}

std::vector<std::uint8_t> read_blob(const BlobSource& source) {
    std::vector<std::uint8_t> data(static_cast<std::size_t>(source.size));
    std::size_t used = 0;
    while (used < data.size()) {
        const ssize_t n = read(source.file.get(), data.data() + used, data.size() - used);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw unreadable(source.path);
        if (n == 0) break;
        used += static_cast<std::size_t>(n);
    }
    data.resize(used);
    return data;
}

} // namespace nfqws2::app
