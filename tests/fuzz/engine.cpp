// A stream of steps from the input through the whole engine: packets of a few flows with headers
// and payloads from the input, time, housekeeping. The script touches every field it is given,
// changes some, feeds packets, and returns every verdict there is. The engine's promises are
// checked after each step. Run with -close_fd_mask=3: Lua errors are many.
#include "payloads.hpp"
#include "reader.hpp"
#include "world.hpp"

#include "nfqws2/profile/filter_table.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace {

using namespace nfqws2;
using fuzz::known_payload;
using fuzz::Reader;
using fuzz::require;
using fuzz::World;

constexpr const char* script = R"lua(
local function touch(t, depth)
    local n = 0
    for k, v in pairs(t) do
        n = n + #tostring(k)
        if type(v) == "table" and depth < 6 then n = n + touch(v, depth + 1)
        elseif type(v) == "string" then n = n + #v end
    end
    return n
end
function look(ctx, d)
    assert(touch(d, 0) > 0)
    assert(touch(execution_plan(ctx), 0) >= 0)
    assert(dissect(raw_packet(ctx)).l4proto == d.dis.l4proto)
    if d.replay then assert(d.replay_piece <= d.replay_piece_count) end
    if d.track then
        d.track.lua_state.n = (d.track.lua_state.n or 0) + 1
        local pos = d.track.pos
        assert(pos.client.pdcounter <= pos.client.pcounter)
    end
end
-- What to do comes from the last byte of the packet.
function act(ctx, d)
    local raw = raw_packet(ctx)
    local how = raw:byte(#raw)
    local dis = d.dis
    if how % 32 == 1 then rawsend_dissect(dis)
    elseif how % 32 == 2 then dis.payload = dis.payload .. "more"
    elseif how % 32 == 3 then dis.payload = string.rep("x", how * 300)
    elseif how % 32 == 4 then dis.ip, dis.ip6 = dis.ip6, dis.ip
    elseif how % 32 == 5 then d.dis = {}
    elseif how % 32 == 6 then d.dis = nil
    elseif how % 32 == 7 then dis.tcp = nil
    elseif how % 32 == 8 then dis.frag_off = how
    elseif how % 32 == 9 then conntrack_feed(raw)
    elseif how % 32 == 10 then conntrack_feed(dis)
    elseif how % 32 == 11 then error("error")
    elseif how % 32 == 12 then return nil
    elseif how % 32 == 13 then return 1, 2
    elseif how % 32 == 14 then instance_cutoff(ctx, how > 127)
    elseif how % 32 == 15 then lua_cutoff(ctx, how > 127)
    elseif how % 32 == 16 then execution_plan_cancel(ctx)
    elseif how % 32 == 17 and dis.tcp then
        dis.tcp.th_flags = TH_SYN
        conntrack_feed(dis)
        conntrack_feed(raw)
        conntrack_feed(dis)
        lua_cutoff(ctx)
    elseif how % 32 == 18 then
        timer_set("t", function() conntrack_feed(raw) rawsend(raw) end, 10 + how, how > 127)
    elseif how % 32 == 19 then d.dis.payload = d.reasm_data or d.decrypt_data
    elseif how % 32 == 20 then d.dis.ip = {} d.dis.tcp = {options = {{}}}
    end
    return math.floor(how / 32)
end
)lua";

engine::Options options(std::uint8_t how) {
    engine::Options o;
    o.server = (how & 1) != 0;
    o.ctrack_disable = (how & 14) == 14;
    o.ipcache_hostname = (how & 16) != 0;
    o.ipcache_lifetime = 30;
    o.ctrack.timeout_syn = o.ctrack.timeout_fin = o.ctrack.timeout_udp = 5;
    o.ctrack.timeout_established = 20;
    o.ctrack.max_tracks = how & 32 ? 3 : 100;
    o.ctrack.max_held_bytes = how & 64 ? 5000 : 1'000'000;
    o.lua_init.push_back({false, script});
    return o;
}

void open(World& world, std::uint8_t how) {
    profile::ProfileBuilder builder(world.lists);
    builder.in_range("a");
    builder.lua_desync("look");
    builder.filter(profile::filter_row("filter-l7"), "known");
    builder.hostlist_exclude_domains("example.com");
    builder.payload("known");
    builder.lua_desync("act:a=%target:b=#dis");
    builder.new_profile("other");
    builder.in_range("a");
    builder.lua_desync("look");
    builder.out_range("n1-d9");
    builder.lua_desync("act");
    builder.out_range("s1<p3000");
    builder.lua_desync("act:x=%reasm_data");
    require(world.open(builder, options(how)));
}

struct Packet {
    std::vector<std::uint8_t> bytes;

    explicit Packet(Reader& in) {
        const std::uint8_t who = in.u8(), shape = in.u8();
        if (who == 0xFF) { // as it is
            const Bytes raw = in.take(shape);
            bytes.assign(raw.begin(), raw.end());
            return;
        }
        const bool v6 = (who & 1) != 0, back = (who & 2) != 0;
        const std::size_t l3 = v6 ? 40 : 20;
        bytes.resize(l3);
        static constexpr std::array<std::uint8_t, 4> protocols = {6, 17, 6, 1};
        std::uint8_t protocol = protocols[who >> 2 & 3];
        if ((who >> 4) == 15) protocol = in.u8();
        if (v6) {
            bytes[0] = 0x60;
            bytes[6] = protocol == 1 ? 58 : protocol;
            bytes[back ? 39 : 23] = 1;
        } else {
            bytes[0] = 0x45;
            bytes[8] = 60;
            bytes[9] = protocol;
            bytes[back ? 19 : 15] = 1;
            if ((who >> 4) == 14) store_be16(&bytes[6], in.u16());
        }
        if (protocol == 6)
            add_tcp(in, back, who);
        else if (protocol == 17)
            add_udp(back, who);
        add_payload(in, shape, who >> 4 == 13);
        if (v6)
            store_be16(&bytes[4], static_cast<std::uint16_t>(bytes.size() - l3));
        else
            store_be16(&bytes[2], static_cast<std::uint16_t>(bytes.size()));
        if (protocol == 17)
            store_be16(&bytes[l3 + 4], static_cast<std::uint16_t>(bytes.size() - l3));
    }

  private:
    void add_ports(bool back, std::uint8_t who) {
        const std::size_t at = bytes.size();
        bytes.resize(at + 4);
        store_be16(&bytes[at + (back ? 2 : 0)], static_cast<std::uint16_t>(1000 + (who >> 4)));
        store_be16(&bytes[at + (back ? 0 : 2)], (who & 16) != 0 ? 53 : 443);
    }
    void add_tcp(Reader& in, bool back, std::uint8_t who) {
        add_ports(back, who);
        const std::size_t at = bytes.size();
        bytes.resize(at + 16);
        store_be32(&bytes[at], in.u16());
        store_be32(&bytes[at + 4], 1);
        bytes[at + 8] = 0x50;
        bytes[at + 9] = in.u8();
        store_be16(&bytes[at + 10], 0xFFFF);
    }
    void add_udp(bool back, std::uint8_t who) {
        add_ports(back, who);
        bytes.resize(bytes.size() + 4);
    }
    void add_payload(Reader& in, std::uint8_t shape, bool large) {
        Bytes payload;
        if (large) {
            payload = in.take(in.u16() % 1500U);
        } else if (shape & 0x80) {
            const Bytes known = known_payload(shape);
            payload = clipped(known, std::size_t{in.u8()} * 4, std::size_t{in.u8()} * 4);
        } else {
            payload = in.take(shape);
        }
        bytes.insert(bytes.end(), payload.begin(), payload.end());
        if (shape & 0x40) bytes.push_back(in.u8()); // decides what the script does
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Reader in{{data, size}};
    World world;
    open(world, in.u8());
    engine::Engine& engine = *world.engine;
    while (!in.rest.empty()) {
        const std::uint8_t step = in.u8();
        if ((step & 7) == 0)
            world.clock.advance_to(world.clock.boot_ns() +
                                   std::int64_t{in.u8()} * in.u8() * 1'000'000);
        if ((step & 0x18) == 0) engine.run_timers();
        if (step == 0x77) engine.collect_garbage();
        const Packet packet(in);
        capture::InputPacket input;
        input.data = packet.bytes;
        input.mark = (step & 0xE0) == 0xE0 ? 0x40000000 : step;
        input.ifin = (step & 0x20) != 0 ? "in0" : "";
        input.ifout = (step & 0x40) != 0 ? "out0" : "";
        const capture::Verdict verdict = engine.on_packet(input);
        require((verdict.action == capture::Action::modify) == !verdict.data.empty());
        require(verdict.data.size() <= 65536);
        require(engine.next_wakeup_ms() >= -1);
    }
    engine.release_held();
    require(engine.held() == 0 && engine.flows() == 0);
    const engine::Counters& c = engine.counters();
    require(c.packets == c.accepted + c.modified + c.dropped);
    return 0;
}
