#include "nfqws2/protocol/tls.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace nfqws2::protocol {

namespace {

constexpr std::size_t record_header = 5;
constexpr std::uint8_t client_hello = 1, server_hello = 2;

bool is_hello(Bytes handshake, std::uint8_t type) {
    return handshake.size() >= 6 && handshake[0] == type && handshake[4] == 3 && handshake[5] <= 3;
}

bool is_handshake_record(Bytes header) {
    return header.size() >= record_header && header[0] == 0x16 && header[1] == 3 &&
           header[2] <= 3 && load_be16(header.data() + 3) != 0;
}

// The signature of one record, however long it claims to be.
bool is_hello_record(Bytes data, std::uint8_t type) {
    return data.size() >= 11 && data[0] == 0x16 && data[1] == 3 && data[2] <= 3 &&
           is_hello(data.subspan(record_header), type);
}

std::string name_text(Bytes name) {
    std::string_view text = as_text(clipped(name, 0, max_server_name));
    return ascii_lower(text.substr(0, text.find('\0')));
}

// Collects the first bytes of a handshake message while its records are walked.
class HelloStart {
  public:
    void add(Bytes part) {
        const Bytes taken = clipped(part, 0, start_.size() - size_);
        std::ranges::copy(taken, start_.begin() + static_cast<std::ptrdiff_t>(size_));
        size_ += taken.size();
    }
    bool whole() const { return size_ == start_.size(); }
    bool length_known() const { return size_ >= 4; }
    std::size_t message_size() const { return std::size_t{load_be24(&start_[1])} + 4; }
    bool may_be_hello() const {
        return (size_ < 1 || start_[0] == client_hello) && (size_ < 5 || start_[4] == 3) &&
               (size_ < 6 || start_[5] <= 3);
    }

  private:
    std::array<std::uint8_t, 6> start_{};
    std::size_t size_ = 0;
};

bool may_be_record(Bytes data) {
    return (data.empty() || data[0] == 0x16) && (data.size() < 2 || data[1] == 3) &&
           (data.size() < 3 || data[2] <= 3);
}

} // namespace

TlsHelloExtent tls_hello_extent(Bytes data) {
    using Is = TlsHelloExtent::Is;
    TlsHelloExtent extent;
    // One record is enough for the old signature, which does not look at its length.
    const bool plain = is_hello_record(data, client_hello);
    if (!may_be_record(data)) return extent;
    HelloStart start;
    std::size_t at = 0, message = 0; // bytes of it in the records up to here
    extent.is = plain ? Is::hello : Is::undecided;
    for (;;) {
        const Bytes rest = clipped(data, at);
        if (rest.size() < record_header) {
            if (!may_be_record(rest)) break;
            extent.size = at + record_header;
            return extent;
        }
        if (!is_handshake_record(rest)) break;
        const std::size_t size = load_be16(rest.data() + 3);
        start.add(clipped(rest, record_header, size));
        if (!plain && !start.may_be_hello()) return {};
        if (start.whole()) extent.is = Is::hello;
        at += record_header + size;
        message += size;
        extent.size = at;
        if (at > data.size()) return extent;
        if (start.length_known() && message >= start.message_size()) {
            extent.complete = extent.is == Is::hello;
            if (!extent.complete) extent.is = Is::foreign; // too small to be one
            return extent;
        }
    }
    // What follows is no record of this message: it ends here, whatever its length says.
    if (extent.is == Is::undecided) return {};
    if (at == 0) extent.size = record_header;
    extent.complete = true;
    return extent;
}

TlsHandshake::TlsHandshake(Bytes tcp_data) {
    if (tcp_data.size() < record_header) return;
    first_ = clipped(clipped(tcp_data, 0, tls_record_size(tcp_data)), record_header);
    HelloStart start;
    std::size_t at = 0, message = 0;
    while (is_handshake_record(clipped(tcp_data, at))) {
        const Bytes record = clipped(tcp_data, at + record_header);
        const std::size_t size = load_be16(tcp_data.data() + at + 3);
        const Bytes part = clipped(record, 0, size);
        start.add(part);
        parts_.push_back({message, at + record_header});
        message += part.size();
        at += record_header + size;
        if (start.length_known() && message >= start.message_size()) break;
    }
    if (parts_.size() < 2) {
        parts_.clear();
        return;
    }
    joined_.reserve(message);
    for (std::size_t i = 0; i < parts_.size(); i++) {
        const std::size_t end = i + 1 < parts_.size() ? parts_[i + 1].offset : message;
        const Bytes part = tcp_data.subspan(parts_[i].wire, end - parts_[i].offset);
        joined_.insert(joined_.end(), part.begin(), part.end());
    }
}

std::size_t TlsHandshake::on_wire(std::size_t offset) const {
    if (parts_.empty()) return offset + record_header;
    const auto behind = std::ranges::upper_bound(parts_, offset, {}, &Part::offset);
    const Part& part = behind == parts_.begin() ? *behind : *std::prev(behind);
    return part.wire + (offset - part.offset);
}

bool is_tls_client_hello(Bytes data) {
    return is_hello_record(data, client_hello) ||
           (data.size() >= 11 && tls_hello_extent(data).is == TlsHelloExtent::Is::hello);
}
bool is_tls_server_hello(Bytes data) {
    return is_hello_record(data, server_hello);
}

std::size_t tls_record_size(Bytes data) {
    return std::size_t{load_be16(data.data() + 3)} + record_header;
}
bool tls_record_full(Bytes data) {
    return data.size() >= record_header && tls_record_size(data) <= data.size();
}

bool is_client_hello_handshake(Bytes handshake) {
    return is_hello(handshake, client_hello);
}
bool client_hello_handshake_full(Bytes handshake) {
    return is_client_hello_handshake(handshake) &&
           std::size_t{load_be24(handshake.data() + 1)} + 4 <= handshake.size();
}

std::optional<std::size_t> extensions_offset(Bytes handshake) {
    const std::size_t size = handshake.size();
    std::size_t at = 38; // type, length, version, random
    if (size < at + 1) return std::nullopt;
    const bool is_client = handshake[0] == client_hello;
    at += 1 + std::size_t{handshake[at]}; // session id
    if (size < at + 2) return std::nullopt;
    if (is_client) at += load_be16(handshake.data() + at); // cipher suites, else one is chosen
    at += 2;
    if (size < at + 1) return std::nullopt;
    if (is_client) at += handshake[at]; // compression methods
    at += 1;
    if (size < at + 2) return std::nullopt;
    return at;
}

std::optional<Extension> find_extension_in_handshake(Bytes handshake, std::uint16_t type,
                                                     Strictness strictness) {
    const auto length_at = extensions_offset(handshake);
    if (!length_at) return std::nullopt;
    std::size_t at = *length_at + 2;
    std::size_t left = load_be16(handshake.data() + *length_at);
    if (strictness == Strictness::strict) {
        if (left > handshake.size() - at) return std::nullopt;
        if (std::size_t{load_be24(handshake.data() + 1)} + 4 > handshake.size())
            return std::nullopt;
    }
    left = std::min(left, handshake.size() - at);

    while (left >= 4) {
        const std::uint16_t found = load_be16(handshake.data() + at);
        const std::size_t size = load_be16(handshake.data() + at + 2);
        at += 4;
        left -= 4;
        if (left < size) break;
        if (found == type) return Extension{at, size};
        at += size;
        left -= size;
    }
    return std::nullopt;
}

std::optional<Extension> find_extension(Bytes tcp_data, std::uint16_t type, Strictness strictness) {
    if (!is_tls_client_hello(tcp_data) && !is_tls_server_hello(tcp_data)) return std::nullopt;
    if (strictness == Strictness::strict && !tls_record_full(tcp_data)) return std::nullopt;
    const Bytes record = clipped(tcp_data, 0, tls_record_size(tcp_data));
    auto found = find_extension_in_handshake(clipped(record, record_header), type, strictness);
    if (found) found->offset += record_header;
    return found;
}

std::optional<Extension> server_name_in_extension(Bytes extension_data) {
    const std::size_t size = extension_data.size();
    if (size < 5 || extension_data[2] != 0) return std::nullopt;
    const std::size_t list = load_be16(extension_data.data());
    const std::size_t name = load_be16(extension_data.data() + 3);
    if (list < name + 3 || list > size - 2) return std::nullopt;
    return Extension{5, name};
}

std::optional<std::string> tls_client_hello_host(Bytes tcp_data) {
    if (!is_tls_client_hello(tcp_data) && !is_tls_server_hello(tcp_data)) return std::nullopt;
    return client_hello_handshake_host(TlsHandshake(tcp_data).message());
}

std::optional<std::string> client_hello_handshake_host(Bytes handshake) {
    const auto extension =
        find_extension_in_handshake(handshake, server_name_type, Strictness::partial);
    if (!extension) return std::nullopt;
    const Bytes content = handshake.subspan(extension->offset, extension->size);
    const auto name = server_name_in_extension(content);
    if (!name) return std::nullopt;
    return name_text(content.subspan(name->offset, name->size));
}

} // namespace nfqws2::protocol
