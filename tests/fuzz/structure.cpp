// Packets that are right in themselves but wrong together: segments of a message in any order and
// overlap, fragments, chains of IPv6 extension headers, ICMP errors that quote packets, merged
// packets. Input: a byte that chooses the strategy, then records of a fixed size, a packet each.
// The mutator knows records: it copies, moves, removes and swaps whole ones and changes single
// fields, so that what it makes is still about the relations between packets. Run with
// -close_fd_mask=3.
#include "structure.hpp"
#include "world.hpp"

namespace {

using namespace nfqws2;
using fuzz::Record;
using fuzz::require;
using fuzz::World;

// Takes the packet to pieces and sends it again in the ways that strategies do.
constexpr const char* script = R"lua(
function rebuild(ctx, d)
    local raw = raw_packet(ctx)
    local again = dissect(raw)
    assert(again.l4proto == d.dis.l4proto)
    local data = d.reasm_data or d.dis.payload or ""
    if d.replay then assert(d.replay_piece <= d.replay_piece_count) end
    rawsend_dissect(again)
    if again.payload and #again.payload > 1 then
        local whole, half = again.payload, math.floor(#again.payload / 2)
        again.payload = whole:sub(1, half)
        rawsend_dissect(again)
        again.payload = whole:sub(half + 1)
        if again.tcp then again.tcp.th_seq = (again.tcp.th_seq + half) % 4294967296 end
        rawsend_dissect(again)
    end
    if again.ip then again.ip.ip_off, again.frag_off = 0x2000, 0 end
    pcall(rawsend_dissect, again)
    if #data % 3 == 1 then return VERDICT_MODIFY end
    if #data % 3 == 2 then return VERDICT_DROP end
end
)lua";

engine::Options options(std::uint8_t how) {
    engine::Options o;
    o.ctrack.timeout_syn = o.ctrack.timeout_fin = o.ctrack.timeout_udp = 5;
    o.ctrack.timeout_established = 20;
    o.ctrack.max_tracks = how & 32 ? 3 : 100;
    o.ctrack.max_held_bytes = how & 64 ? 5000 : 1'000'000;
    o.server = (how & 128) != 0;
    o.lua_init.push_back({false, script});
    return o;
}

void open(World& world, std::uint8_t how) {
    profile::ProfileBuilder builder(world.lists);
    builder.in_range("a");
    builder.payload(how & 16 ? "all" : "tls_client_hello,quic_initial,http_req");
    builder.lua_desync("rebuild");
    require(world.open(builder, options(how)));
}

// Packets that are to be split come again as the pieces they stand for.
void handle(engine::Engine& engine, const fuzz::BuiltPacket& built, bool out) {
    capture::InputPacket input;
    input.data = built.bytes;
    input.merged = built.merged;
    (out ? input.ifout : input.ifin) = "eth0";
    const capture::Verdict verdict = engine.on_packet(input);
    require(verdict.action != capture::Action::split || built.merged);
    require((verdict.action == capture::Action::modify) == !verdict.data.empty());
    require(verdict.data.size() <= 65536);
    if (verdict.action != capture::Action::split) return;
    for (const fuzz::BuiltPacket& piece : fuzz::pieces_of(built))
        handle(engine, piece, out);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t most_packets = 400;
    if (size == 0) return 0;
    World world;
    open(world, data[0]);
    const auto records = fuzz::records_in({data + 1, size - 1});
    for (std::size_t i = 0; i < records.size() && i < most_packets; i++) {
        const Record& record = records[i];
        world.clock.advance_to(world.clock.boot_ns() + std::int64_t{record.wait} * 10'000'000);
        world.engine->run_timers();
        const fuzz::BuiltPacket packet = fuzz::build(record);
        if (!packet.bytes.empty()) handle(*world.engine, packet, !record.from_server());
        require(world.engine->next_wakeup_ms() >= -1);
        require(world.memory.share(MemoryBudget::Part::held) <= MemoryBudget::least);
    }
    world.engine->release_held();
    require(world.engine->held() == 0);
    const engine::Counters& c = world.engine->counters();
    require(c.accepted + c.modified + c.dropped <= c.packets);
    world.engine.reset();
    require(world.memory.share(MemoryBudget::Part::held) == 0);
    require(world.memory.share(MemoryBudget::Part::messages) == 0);
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
    return fuzz::mutate({data, most}, size, seed);
}
