#include "flow_filter.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <array>

namespace nfqws2::app {
namespace {

constexpr std::array<std::string_view, 5> states = {"syn", "established", "fin", "new", "answered"};

bool in_network(const IpAddress& address, const IpAddress& network, unsigned prefix) {
    if (address.version != network.version) return false;
    const unsigned whole = prefix / 8, rest = prefix % 8;
    if (!std::equal(network.raw.begin(), network.raw.begin() + whole, address.raw.begin()))
        return false;
    if (rest == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xFF00U >> rest);
    return ((network.raw[whole] ^ address.raw[whole]) & mask) == 0;
}

bool refuse(control::Refusal* refusal, std::string text) {
    *refusal = {"bad-field", std::move(text)};
    return false;
}

} // namespace

std::vector<control::Field> FlowFilter::fields() {
    using control::Kind;
    return {{"address", Kind::text}, {"port", Kind::number, 0, 65535},
            {"host", Kind::text},    {"profile", Kind::text_or_number, 0, UINT32_MAX},
            {"proto", Kind::text},   {"l7", Kind::text},
            {"state", Kind::text},   {"held", Kind::flag}};
}

bool FlowFilter::read_address(const std::string& text) {
    const std::size_t slash = text.find('/');
    const auto address = IpAddress::parse(std::string_view(text).substr(0, slash));
    if (!address) return false;
    network_ = *address;
    prefix_ = address->version == 4 ? 32 : 128;
    if (slash == std::string::npos) return true;
    const auto bits = parse_uint(std::string_view(text).substr(slash + 1), prefix_);
    if (bits) prefix_ = static_cast<unsigned>(*bits);
    return bits.has_value();
}

bool FlowFilter::read(const control::Request& request, const profile::ProfileSet& profiles,
                      control::Refusal* refusal) {
    if (const std::string* text = request.text("address"); text != nullptr && !read_address(*text))
        return refuse(refusal, "'address' is no address or network");
    if (const std::int64_t* number = request.number("port"))
        port_ = static_cast<std::uint16_t>(*number);
    if (const std::string* text = request.text("host")) host_ = ascii_lower(*text);
    const std::int64_t* number = request.number("profile");
    const std::string* name = request.text("profile");
    if (number != nullptr || name != nullptr) {
        profiles_.emplace();
        for (const auto& profile : profiles.all())
            if (name != nullptr ? profile->profile_name == *name : profile->number == *number)
                profiles_->push_back(profile->id);
        if (profiles_->empty()) return refuse(refusal, "there is no such profile");
    }
    if (const std::string* text = request.text("proto")) {
        if (*text != "tcp" && *text != "udp") return refuse(refusal, "'proto' is 'tcp' or 'udp'");
        tcp_ = *text == "tcp";
    }
    if (const std::string* text = request.text("l7")) {
        l7_ = protocol::l7_from_name(*text);
        if (!l7_) return refuse(refusal, "'l7' is no flow protocol");
    }
    if (const std::string* text = request.text("state")) {
        if (std::find(states.begin(), states.end(), *text) == states.end())
            return refuse(refusal, "'state' is syn, established, fin, new or answered");
        state_ = *text;
    }
    if (request.flag("held")) held_ = true;
    return true;
}

bool FlowFilter::fits_network(const IpAddress& one, const IpAddress& other) const {
    return network_.empty() || in_network(one, network_, prefix_) ||
           in_network(other, network_, prefix_);
}

bool FlowFilter::is_below(std::string_view host) const {
    return is_host_below(host, *host_);
}

bool FlowFilter::may_admit(const packet::Dissect& packet) const {
    if (!packet.is_ip()) return false;
    const bool tcp = packet.l4 == packet::L4::tcp;
    const bool ports = tcp || packet.l4 == packet::L4::udp;
    if (tcp_ && (!ports || tcp != *tcp_)) return false;
    if (port_ &&
        (!ports || (packet.source_port() != *port_ && packet.destination_port() != *port_)))
        return false;
    return network_.empty() || fits_network(packet.source(), packet.destination());
}

bool FlowFilter::admits(const flow::Track& track) const {
    if (tcp_ && track.is_tcp() != *tcp_) return false;
    if (port_ && track.client().port != *port_ && track.server().port != *port_) return false;
    if (!fits_network(track.client().address, track.server().address)) return false;
    if (refuses_host(track.hostname())) return false;
    if (profiles_ && (!track.profile_searched() || std::find(profiles_->begin(), profiles_->end(),
                                                             track.profile()) == profiles_->end()))
        return false;
    if (l7_ && track.l7() != *l7_) return false;
    if (state_ && state_name(track) != *state_) return false;
    return !held_ || track.holding();
}

std::string_view state_name(const flow::Track& track) {
    if (!track.is_tcp()) return track.positions().server.pcounter == 0 ? "new" : "answered";
    switch (track.state()) {
    case flow::TcpState::syn:
        return "syn";
    case flow::TcpState::established:
        return "established";
    case flow::TcpState::fin:
        break;
    }
    return "fin";
}

bool is_host_below(std::string_view host, std::string_view name) {
    if (host.size() < name.size() || !host.ends_with(name)) return false;
    return host.size() == name.size() || host[host.size() - name.size() - 1] == '.';
}

} // namespace nfqws2::app
