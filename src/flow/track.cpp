#include "nfqws2/flow/track.hpp"

#include "flow_memory.hpp"
#include "nfqws2/flow/pieces.hpp"
#include "tcp_state.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

namespace nfqws2::flow {

namespace detail {

void PoolDelete::operator()(TrackExtension* p) const {
    p->~TrackExtension();
    SlabPool::release(p);
}

void PoolDelete::operator()(HostName* p) const {
    SlabPool::release(p);
}

} // namespace detail

namespace {

constexpr unsigned max_scale = 14; // RFC 7323

std::uint64_t wide(std::uint32_t low, std::uint32_t high) {
    return std::uint64_t{high} << 32 | low;
}

SidePositions expand(const detail::SideData& s) {
    SidePositions p;
    p.pcounter = wide(s.pcounter_low, s.pcounter_high);
    p.pdcounter = wide(s.pdcounter_low, s.pdcounter_high);
    p.pbcounter = wide(s.pbcounter_low, s.pbcounter_high);
    p.ip6_flow = s.ip6_flow;
    p.seq0 = s.seq0;
    p.seq = s.seq;
    p.pos = s.pos;
    p.uppos = s.uppos;
    p.uppos_prev = s.uppos_prev;
    p.winsize = s.winsize;
    p.scale = s.scale;
    const unsigned shift = s.window_scaled ? std::min<unsigned>(s.scale, max_scale) : 0;
    p.winsize_calc = std::uint32_t{s.winsize} << shift;
    p.mss = s.mss;
    p.seq0_known = s.seq0_known;
    p.rseq_over_2g = s.rseq_over_2g;
    return p;
}

} // namespace

Positions Track::positions() const {
    return {expand(d_.client), expand(d_.server), d_.last_ns};
}

std::uint16_t Track::common_mss() const {
    if (d_.client.mss == 0 || d_.server.mss == 0) return 0;
    return std::min(d_.client.mss, d_.server.mss);
}

Track::Stretch Track::foresee(const packet::Dissect& d, std::uint32_t piece_size,
                              bool from_server) const {
    const detail::SideData& sender = from_server ? d_.server : d_.client;
    const auto size = static_cast<std::uint32_t>(d.payload.size());
    const auto [count, last] = pieces_of(size, piece_size);
    const std::uint32_t first_size = count == 1 ? size : piece_size;
    const detail::SideData first = detail::foresee(sender, d, {1, first_size, {0, first_size}});
    if (count == 1) return {expand(first), expand(first)};
    return {expand(first),
            expand(detail::foresee(first, d, {count - 1, size - first_size, {last, size - last}}))};
}

void Track::set_hostname(std::string_view name, bool is_ip, bool discovered) {
    name = name.substr(0, detail::HostName::max_size);
    d_.flags.host_is_ip = is_ip;
    d_.flags.host_discovered = discovered;
    if (d_.host && hostname() == name) return;
    const std::size_t size = offsetof(detail::HostName, text) + name.size();
    auto* host = static_cast<detail::HostName*>(FlowMemory::of(this).allocate_name(size));
    if (host == nullptr) return;
    host->size = static_cast<std::uint16_t>(name.size());
    if (!name.empty()) std::memcpy(host->text, name.data(), name.size());
    d_.host.reset(host);
}

bool Track::cut_fits_mask(std::uint32_t profile, std::uint32_t instance) const {
    if (instance < 1 || instance > 16 || profile > UINT16_MAX) return false;
    return (d_.cut_in | d_.cut_out) == 0 || d_.cut_profile == profile;
}

bool Track::instance_cut(std::uint32_t profile, std::uint32_t instance, bool outgoing) const {
    if (cut_fits_mask(profile, instance)) {
        const unsigned mask = outgoing ? d_.cut_out : d_.cut_in;
        return (mask >> (instance - 1) & 1) != 0;
    }
    if (!d_.extension) return false;
    for (const TrackExtension::Cut& cut : d_.extension->cuts)
        if (cut.profile == profile && cut.instance == instance) return outgoing ? cut.out : cut.in;
    return false;
}

void Track::cut_instance(std::uint32_t profile, std::uint32_t instance, bool in, bool out) {
    if (!in && !out) return;
    if (cut_fits_mask(profile, instance)) {
        const auto bit = static_cast<std::uint16_t>(1U << (instance - 1));
        d_.cut_profile = static_cast<std::uint16_t>(profile);
        if (in) d_.cut_in |= bit;
        if (out) d_.cut_out |= bit;
        return;
    }
    auto& cuts = need_extension().cuts;
    const auto same = [&](const TrackExtension::Cut& c) {
        return c.profile == profile && c.instance == instance;
    };
    const auto at = std::find_if(cuts.begin(), cuts.end(), same);
    if (at == cuts.end()) {
        cuts.push_back({profile, instance, in, out});
    } else {
        at->in |= in;
        at->out |= out;
    }
}

void Track::clear_cuts() {
    d_.cut_in = d_.cut_out = 0;
    if (d_.extension) d_.extension->cuts.clear();
}

TrackExtension& Track::need_extension() {
    if (!d_.extension) {
        void* memory = FlowMemory::of(this).extensions.allocate();
        if (memory == nullptr) throw std::bad_alloc();
        d_.extension.reset(::new (memory) TrackExtension());
    }
    return *d_.extension;
}

} // namespace nfqws2::flow
