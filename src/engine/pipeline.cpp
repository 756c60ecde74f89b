// The way of a packet, top to bottom (docs/contracts/flows.md#the-way-of-a-packet). Each step
// stands in the file named in pipeline.hpp.
#include "pipeline.hpp"

#include "debug_text.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/protocol/detect.hpp"

#include <algorithm>

namespace nfqws2::engine {

Pipeline::Pipeline(Options opts, Services svc)
    : options(std::move(opts)), services(std::move(svc)), now(*services.clock),
      own_ip_cache(services.ip_cache != nullptr
                       ? nullptr
                       : std::make_unique<flow::IpCache>(options.ipcache_lifetime, now)),
      ip_cache(services.ip_cache != nullptr ? *services.ip_cache : *own_ip_cache),
      host(std::make_unique<lua::Host>()), state(*host), desync(*host),
      blob_share(services.memory, MemoryBudget::Part::blobs),
      lua_share(services.memory, MemoryBudget::Part::lua) {
    options.ctrack.memory = services.memory;
    if (!options.ctrack_disable) {
        connections = std::make_unique<flow::ConnectionTable>(options.ctrack, now);
        connections->set_observer(this);
    }
    host->clock = services.clock;
    host->random = services.random;
    host->sender = services.sender;
    if (services.trace != nullptr) {
        services.trace->send_through(*services.sender);
        host->sender = services.trace;
        desync.set_observer(services.trace);
    }
    host->network = services.network;
    host->connections = connections.get();
    host->desync_fwmark = options.desync_fwmark;
    host->server_mode = options.server;
    host->file_gate = options.file_gate;
}

// Tracks hold references into the Lua state, so they end first.
Pipeline::~Pipeline() {
    if (connections) connections->clear();
}

bool Pipeline::init_lua(const std::function<bool()>& stop_requested,
                        std::optional<std::size_t>* failed) {
    std::vector<lua::NamedBlob> blobs;
    for (Blob& blob : options.blobs) {
        blob_bytes_ += blob.data.size();
        blobs.push_back({std::move(blob.name), std::move(blob.data)});
    }
    options.blobs.clear();
    blob_share.set(blob_bytes_);
    lua::Globals globals;
    globals.version = options.version;
    globals.writable = options.writable;
    globals.qnum = options.qnum;
    globals.worker = options.worker;
    globals.debug = options.debug;
    globals.daemon = options.daemon;
    globals.server = options.server;
    globals.ipcache_hostname = options.ipcache_hostname;
    globals.ctrack_disable = options.ctrack_disable;
    host->guard.set_limits(
        {options.lua_call_ms, options.lua_memory_mb, options.lua_wait_ms, options.in_thread});
    if (!state.open(blobs, globals, options.seeded)) return false;
    std::vector<lua::InitItem> items;
    for (const LuaInit& item : options.lua_init) {
        items.push_back({item.is_file, item.text});
    }
    return state.run_init(items, stop_requested, failed);
}

capture::Verdict Pipeline::process(const capture::InputPacket& packet) {
    if (log::debug_enabled()) debug_text::arrived(packet);
    Passage p;
    p.raw = packet.data;
    p.number = counters.packets + 1;
    p.dis = packet::dissect(packet.data);
    p.mark = packet.mark;
    p.ifin = packet.ifin;
    p.ifout = packet.ifout;
    p.merged = packet.merged;
    if (log::debug_enabled()) debug_text::headers(p.dis, false);
    if (services.trace != nullptr) services.trace->begin(p);
    capture::Verdict verdict = route(p);
    if (p.bare_syn && verdict.action == capture::Action::accept)
        verdict = {capture::Action::modify, bare_syn_};
    if (options.offload && p.track != nullptr && verdict.action == capture::Action::accept)
        verdict.finished = nothing_left(p, Ways::both) && p.track->offer_end();
    if (log::debug_enabled() && verdict.finished) log::debug("this flow is finished");
    if (log::debug_enabled()) debug_text::judged(packet, verdict);
    if (services.trace != nullptr) services.trace->end(p, verdict);
    return verdict;
}

capture::Verdict Pipeline::route(Passage& p) {
    if ((p.mark & options.desync_fwmark) != 0) {
        if (log::debug_enabled()) log::debug("ignoring generated packet");
        if (services.trace != nullptr) services.trace->note("own mark");
        counters.ignored++;
        return {};
    }
    now.update();
    ip_cache.purge();
    poll_lists();
    if (p.merged && !passes_whole(p)) return {capture::Action::split, {}};
    if (!p.dis.is_ip()) {
        if (log::debug_enabled()) log::debug("invalid packet - neither ipv4 or ipv6");
        if (services.trace != nullptr) services.trace->note("not IP");
        return {};
    }
    switch (p.dis.l4) {
    case packet::L4::tcp:
        if ((p.dis.tcp_flags() & packet::tcp_flag::syn) != 0 && !p.dis.payload.empty())
            withhold_fast_open(p);
        return tcp_or_udp(p);
    case packet::L4::udp:
        return tcp_or_udp(p);
    case packet::L4::icmp:
        return icmp(p);
    case packet::L4::none:
        break;
    }
    return raw_ip(p);
}

// Changed list files are looked for once per second; a finished load is taken over by the next
// search for a profile, or here.
void Pipeline::poll_lists() {
    constexpr std::int64_t interval_ns = 10'000'000;
    if (now.boot_ns() < next_list_poll_ns_) return;
    next_list_poll_ns_ = now.boot_ns() + interval_ns;
    const std::size_t lua = host->guard.used(); // blobs are part of it
    lua_share.set(lua - std::min(lua, blob_bytes_));
    services.lists->poll();
}

capture::Verdict Pipeline::tcp_or_udp(Passage& p) {
    bool reverse = false;
    if (connections) {
        connections->purge();
        const flow::ConnectionTable::Found found = connections->feed(p.dis, p.piece_size);
        p.track = found.track;
        reverse = found.reverse;
    }
    if (p.track != nullptr) p.pin.emplace(*connections, p.track);

    if (p.track != nullptr)
        set_flow_direction(p, reverse);
    else
        guess_direction(p);
    set_target(p);
    if (p.track != nullptr) p.l7 = p.track->l7();

    select_profile(p);
    if (p.profile->auto_hosts) services.auto_hosts->purge();
    learn_ttl(p);

    p.payload = p.dis.payload.empty() ? protocol::Payload::empty : protocol::Payload::unknown;
    const Detected detected = p.is_tcp() ? detect_tcp(p) : detect_udp(p);
    if (connections) connections->release_overdue(); // what this packet has not completed
    if (detected == Detected::held) {
        if (services.trace != nullptr) services.trace->held();
        return p.is_tcp() ? instead_of_held(p)
                          : substitute_first_drop(p, {capture::Action::drop, {}}, true);
    }
    if (!rediscover(p)) {
        if (p.track != nullptr && p.track->holding()) release(*p.track);
        return {};
    }
    if (log::debug_enabled()) debug_text::desync(p);
    return substitute_first_drop(p, lua_stage(p), false);
}

capture::Verdict Pipeline::icmp(Passage& p) {
    p.payload = protocol::Payload::icmp;
    bool reverse = false;
    if (protocol::icmp_type_quotes_packet(p.dis.icmp_type()) && !p.dis.payload.empty()) {
        const packet::Dissect quoted =
            packet::dissect(p.dis.payload, packet::Completeness::partial);
        if (quoted.is_ip()) {
            p.payload =
                quoted.l3 == packet::L3::ipv4 ? protocol::Payload::ipv4 : protocol::Payload::ipv6;
            if (connections) {
                const flow::ConnectionTable::Found found = connections->find(quoted);
                p.track = found.track;
                reverse = !found.reverse;
            }
        } else if (log::debug_enabled()) {
            log::debug("attached packet is invalid");
        }
    }
    if (p.track != nullptr) {
        p.pin.emplace(*connections, p.track);
        set_flow_direction(p, reverse);
        p.l7 = p.track->l7();
    } else {
        guess_direction(p);
    }
    set_target(p);
    select_for_related(p);
    return lua_stage(p);
}

capture::Verdict Pipeline::raw_ip(Passage& p) {
    guess_direction(p);
    set_target(p);
    select_for_related(p);
    return lua_stage(p);
}

capture::Verdict Pipeline::lua_stage(Passage& p) {
    if (p.profile->instances.empty()) {
        if (log::debug_enabled()) log::debug("no lua functions in this profile");
        return {};
    }
    if (p.track != nullptr && p.track->cutoff(p.outgoing())) {
        if (log::debug_enabled()) log::debug("lua %s cutoff", p.outgoing() ? "out" : "in");
        if (services.trace != nullptr) services.trace->all_cut_off(*p.profile);
        return {};
    }
    lua::PacketView view;
    view.dis = &p.dis;
    view.track = p.track;
    if (p.track != nullptr) {
        view.positions = &positions_of(p);
        if (p.is_tcp()) view.tcp_mss = p.track->common_mss();
    }
    view.from_client = !p.reverse;
    view.profile = p.profile;
    view.outgoing = p.outgoing();
    view.ifin = p.ifin;
    view.ifout = p.ifout;
    view.fwmark = p.mark;
    view.target = p.target;
    view.target_port = p.target_port;
    view.payload = p.payload;
    view.l7 = p.l7;
    view.replay = p.replay;
    if (p.reasm_data)
        view.reasm_data = p.reasm_data;
    else if (p.is_tcp())
        view.reasm_data = p.dis.payload;
    view.decrypt_data = p.decrypt_data;
    return desync.run(view);
}

// A dropped first packet would take the kernel's conntrack entry with it: a crippled packet that no
// host accepts goes out instead (docs/contracts/wire.md#the-first-packet-of-a-connection).
capture::Verdict Pipeline::substitute_first_drop(Passage& p, capture::Verdict verdict, bool held) {
    if (verdict.action != capture::Action::drop || (p.incoming && !held)) return verdict;
    if (p.track != nullptr) {
        const flow::Positions& positions = positions_of(p);
        if ((options.server ? positions.server : positions.client).pcounter != 1) return verdict;
    } else {
        using namespace packet::tcp_flag;
        if (!p.is_tcp()) return verdict;
        const int flags = p.dis.tcp_flags() & (urg | ack | psh | rst | syn | fin);
        if (flags != syn && flags != (syn | ack)) return verdict;
    }
    if (log::debug_enabled()) log::debug("applying linux postnat conntrack workaround");
    substitute_.assign(p.dis.packet.begin(), p.dis.packet.end());
    if (p.dis.l3 == packet::L3::ipv4) {
        substitute_[9] = 255;
        substitute_[8] = 1;
    } else {
        substitute_[6] = 255;
        substitute_[7] = 1;
    }
    return {capture::Action::modify, substitute_};
}

} // namespace nfqws2::engine
