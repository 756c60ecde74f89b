#include "ct_ftp.hpp"

#include "nfqws2/base/text.hpp"

#include <array>
#include <vector>

namespace nfqws2::flow::detail {

namespace {

std::string_view behind(std::string_view text, std::string_view what) {
    const std::size_t at = text.find(what);
    return at == std::string_view::npos ? std::string_view() : text.substr(at + what.size());
}

bool begins_with_word(std::string_view line, std::string_view word) {
    return line.size() > word.size() && ascii_lower(line.substr(0, word.size())) == word &&
           line[word.size()] == ' ';
}

std::optional<std::uint16_t> port_of(std::string_view text) {
    const auto port = parse_uint(text, UINT16_MAX);
    if (!port || *port == 0) return std::nullopt;
    return static_cast<std::uint16_t>(*port);
}

// "h,h,h,h,p,p"
std::optional<FtpAnnouncement> read_six(std::string_view text) {
    const std::vector<std::string_view> items = split(text, ',');
    std::array<std::uint8_t, 6> bytes{};
    if (items.size() != bytes.size()) return std::nullopt;
    for (std::size_t i = 0; i < bytes.size(); i++) {
        const auto value = parse_uint(items[i], UINT8_MAX);
        if (!value) return std::nullopt;
        bytes[i] = static_cast<std::uint8_t>(*value);
    }
    const std::uint16_t port = load_be16(bytes.data() + 4);
    if (port == 0) return std::nullopt;
    return FtpAnnouncement{IpAddress::v4(bytes.data()), port};
}

// "|||p|" or "|1|address|p|", any delimiter (RFC 2428)
std::optional<FtpAnnouncement> read_extended(std::string_view text, bool with_address) {
    if (text.empty()) return std::nullopt;
    const std::vector<std::string_view> items = split(text, text[0]);
    if (items.size() != 5) return std::nullopt;
    const auto port = port_of(items[3]);
    if (!port) return std::nullopt;
    if (!with_address) return FtpAnnouncement{{}, *port};
    const auto address = IpAddress::parse(items[2]);
    const std::string_view family = items[1];
    if (!address || family != (address->version == 4 ? "1" : "2")) return std::nullopt;
    return FtpAnnouncement{*address, *port};
}

} // namespace

std::optional<FtpAnnouncement> read_ftp_line(std::string_view line, bool from_server) {
    if (!from_server) {
        if (begins_with_word(line, "port")) return read_six(line.substr(5));
        if (begins_with_word(line, "eprt")) return read_extended(line.substr(5), true);
        return std::nullopt;
    }
    const bool passive = begins_with_word(line, "227");
    if (!passive && !begins_with_word(line, "229")) return std::nullopt;
    std::string_view inner = behind(line, "(");
    const std::size_t end = inner.find(')');
    if (end == std::string_view::npos) return std::nullopt;
    inner = inner.substr(0, end);
    return passive ? read_six(inner) : read_extended(inner, false);
}

void FtpLines::feed(std::uint32_t seq, Bytes payload,
                    const std::function<void(std::string_view)>& line) {
    std::string_view text = as_text(payload);
    if (running_ && seq != next_seq_) {
        const std::uint32_t old = next_seq_ - seq; // bytes that were seen before
        if (old < 0x80000000U) {
            if (old >= text.size()) return;
            text.remove_prefix(old);
        } else { // a gap: what was begun is lost, and so is the end of a line before the next one
            begun_.clear();
            too_long_ = false;
        }
    }
    running_ = true;
    next_seq_ = seq + static_cast<std::uint32_t>(payload.size());
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view part = text.substr(0, end);
        too_long_ = too_long_ || begun_.size() + part.size() > max_line;
        if (too_long_)
            begun_.clear();
        else
            begun_ += part;
        if (end == std::string_view::npos) return;
        text.remove_prefix(end + 1);
        if (!too_long_) {
            if (begun_.ends_with('\r')) begun_.pop_back();
            line(begun_);
        }
        begun_.clear();
        too_long_ = false;
    }
}

} // namespace nfqws2::flow::detail
