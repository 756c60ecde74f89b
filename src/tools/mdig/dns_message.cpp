#include "mdig/dns_message.hpp"

namespace nfqws2::tools {

namespace {

constexpr std::size_t header_size = 12;
constexpr std::size_t max_label = 63;
constexpr std::size_t max_name = 253;
constexpr std::uint16_t class_in = 1;

std::string_view without_trailing_dot(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    return name;
}

void append_be16(std::vector<std::uint8_t>& out, std::uint16_t value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}

// Sequential reading that can only fail, never leave the message.
class Cursor {
  public:
    Cursor(Bytes message, std::size_t at) : message_(message), at_(at) {}

    // Labels up to the root or a pointer. The target does not matter: the name is only passed by.
    bool skip_name() {
        while (at_ < message_.size()) {
            const std::uint8_t length = message_[at_];
            if (length >= 0xC0) return skip(2);
            if (length > max_label) return false;
            if (!skip(std::size_t{1} + length)) return false;
            if (length == 0) return true;
        }
        return false;
    }
    bool skip(std::size_t count) {
        if (message_.size() - at_ < count) return false;
        at_ += count;
        return true;
    }
    // `count` bytes, and the cursor behind them; nullptr if they are not there.
    const std::uint8_t* take(std::size_t count) {
        const std::uint8_t* const p = message_.data() + at_;
        return skip(count) ? p : nullptr;
    }

  private:
    Bytes message_;
    std::size_t at_;
};

} // namespace

bool has_dns_shape(std::string_view name) {
    name = without_trailing_dot(name);
    if (name.size() > max_name) return false;
    for (;;) {
        const std::size_t dot = name.find('.');
        const std::size_t label = dot == std::string_view::npos ? name.size() : dot;
        if (label == 0 || label > max_label) return false;
        if (dot == std::string_view::npos) return true;
        name.remove_prefix(dot + 1);
    }
}

std::optional<std::vector<std::uint8_t>> make_dns_query(std::string_view name, DnsType type) {
    if (!has_dns_shape(name)) return std::nullopt;
    // ID 0, recursion desired, one question.
    std::vector<std::uint8_t> query{0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    name = without_trailing_dot(name);
    while (!name.empty()) {
        const std::string_view label = name.substr(0, name.find('.'));
        query.push_back(static_cast<std::uint8_t>(label.size()));
        query.insert(query.end(), label.begin(), label.end());
        name.remove_prefix(label.size() < name.size() ? label.size() + 1 : label.size());
    }
    query.push_back(0);
    append_be16(query, static_cast<std::uint16_t>(type));
    append_be16(query, class_in);
    return query;
}

bool parse_dns_reply(Bytes message, const std::function<void(const IpAddress&)>& found) {
    constexpr std::uint8_t is_reply = 0x80;
    if (message.size() < header_size || (message[2] & is_reply) == 0) return false;
    Cursor cursor(message, header_size);
    for (unsigned left = load_be16(message.data() + 4); left != 0; left--)
        if (!cursor.skip_name() || !cursor.skip(4)) return false;

    for (unsigned left = load_be16(message.data() + 6); left != 0; left--) {
        if (!cursor.skip_name()) return false;
        const std::uint8_t* const fixed = cursor.take(10); // type, class, TTL, data length
        if (fixed == nullptr) return false;
        const unsigned type = load_be16(fixed);
        const unsigned length = load_be16(fixed + 8);
        const std::uint8_t* const data = cursor.take(length);
        if (data == nullptr) return false;
        if (load_be16(fixed + 2) != class_in) continue;
        if (type == static_cast<unsigned>(DnsType::a) && length == 4) found(IpAddress::v4(data));
        if (type == static_cast<unsigned>(DnsType::aaaa) && length == 16)
            found(IpAddress::v6(data));
    }
    return true;
}

} // namespace nfqws2::tools
