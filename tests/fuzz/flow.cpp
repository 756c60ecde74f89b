// A stream of steps from the input: packets of a few flows, time, releases, limits. Each step takes
// a fixed number of bytes. The table's promises are checked after each.
#include "reader.hpp"

#include "nfqws2/flow/connection_table.hpp"
#include "nfqws2/flow/range.hpp"

#include <array>
#include <cstdlib>
#include <string>

namespace {

using namespace nfqws2;
using namespace nfqws2::flow;
using fuzz::Reader;

void require(bool condition) {
    if (!condition) std::abort();
}

class Observer final : public TrackObserver {
  public:
    void on_track_end(Track& track) override { release(track); }
    void on_held_timeout(Track& track) override { release(track); }

    ConnectionTable* table = nullptr;

  private:
    void release(Track& track) {
        require(track.number() != 0);
        if (TrackExtension* extension = track.extension()) {
            extension->held.clear();
            extension->reassembly.reset();
            table->held_changed(track);
        }
    }
};

// A packet whose tuple comes from one byte and whose header and payload come from the input.
struct Packet {
    std::array<std::uint8_t, 20 + 60 + 256> bytes{};
    std::size_t size = 0;

    explicit Packet(Reader& in) {
        const std::uint8_t who = in.u8(), shape = in.u8();
        const bool tcp = (who & 1) != 0, back = (who & 2) != 0;
        bytes[0] = 0x45;
        bytes[9] = tcp ? packet::proto::tcp : packet::proto::udp;
        bytes[back ? 19 : 15] = static_cast<std::uint8_t>(who >> 2);
        bytes[back ? 23 : 21] = 7;
        const std::size_t header = tcp ? 20 + (shape >> 4) % 11 * 4U : 8;
        if (tcp) {
            store_be32(&bytes[24], in.u32());
            store_be32(&bytes[28], in.u32());
            bytes[32] = static_cast<std::uint8_t>(header / 4 << 4);
            bytes[33] = in.u8();
            bytes[34] = in.u8();
            for (std::size_t i = 20; i < header; i++)
                bytes[20 + i] = in.u8();
        }
        const std::size_t payload = shape % 16 * 17U;
        size = 20 + header + payload;
        store_be16(&bytes[2], static_cast<std::uint16_t>(size));
        if (!tcp) store_be16(&bytes[24], static_cast<std::uint16_t>(8 + payload));
        if ((shape & 15) == 15) size = 20 + header / 2; // cut off
    }
    Bytes raw() const { return Bytes(bytes).first(size); }
};

void hold(ConnectionTable& table, Track& track, Bytes data) {
    TrackExtension& extension = track.need_extension();
    if (extension.held.size() >= max_held_packets || !table.make_room(track, data.size())) return;
    HeldPacket piece;
    piece.data.assign(data.begin(), data.end());
    piece.positions = track.positions();
    extension.held.push_back(std::move(piece));
    table.held_changed(track);
}

void reassemble(Track& track, const packet::Dissect& d, std::uint8_t how) {
    TrackExtension& extension = track.need_extension();
    const std::uint32_t seq = track.is_tcp() ? d.tcp_seq() : 0;
    if (!extension.reassembly)
        extension.reassembly = std::make_unique<Reassembly>(
            track.is_tcp() ? Reassembly::Kind::tls_client_hello : Reassembly::Kind::quic_initial,
            std::size_t{how} * 80, seq);
    Reassembly& r = *extension.reassembly;
    bool fed = true;
    if (track.is_tcp()) {
        const auto news = r.feed(seq, d.payload);
        fed = news.has_value();
        if (news) require(news->fresh <= d.payload.size() && !(news->copy && news->fresh != 0));
    } else {
        fed = r.append(d.payload);
    }
    require(r.present() <= r.target() && r.target() <= max_message);
    require(r.data().size() == r.present());
    if (how == 255) r.cut(how);
    if (!fed || r.complete()) extension.reassembly.reset();
}

void keep_past(ConnectionTable& table, Track& track, Bytes data) {
    auto past = std::make_unique<PastHello>(
        PastHello{{Reassembly::Kind::tls_client_hello, max_message, 0}, {}});
    past->message.feed(0, data);
    past->pieces.resize(1);
    past->pieces[0].data.assign(data.begin(), data.end());
    track.need_extension();
    table.keep_past(track, std::move(past));
}

// Segments of a message in any order and cutting, with bytes that do not depend on when they came:
// what is contiguous must be the message.
void reassemble_any(Bytes script) {
    const auto value = [](std::size_t at) { return static_cast<std::uint8_t>(at * 7 + at / 256); };
    Reassembly r(Reassembly::Kind::tls_client_hello, max_message, 0xFFFFFF00);
    std::array<bool, max_message> there{};
    for (; script.size() >= 3; script = script.subspan(3)) {
        const std::size_t from = load_be16(script.data()) % max_message, size = script[2];
        std::array<std::uint8_t, 255> data{};
        for (std::size_t i = 0; i < size; i++)
            data[i] = value(from + i);
        const auto news =
            r.feed(0xFFFFFF00 + static_cast<std::uint32_t>(from), Bytes(data).first(size));
        if (!news) return;
        for (std::size_t i = from; i < from + size && i < max_message; i++)
            there[i] = true;
        std::size_t contiguous = 0;
        while (contiguous < max_message && there[contiguous])
            contiguous++;
        require(r.present() == contiguous);
        for (std::size_t i = 0; i < contiguous; i++)
            require(r.data()[i] == value(i));
        require(r.memory() < 6 * max_message);
    }
}

void use(Track& track, std::uint8_t how) {
    track.cut_instance(how % 3, how % 20, how & 1, how & 2);
    track.set_hostname(std::string(how, 'h'), how & 1, how & 2);
    const Positions p = track.positions();
    require(p.client.pdcounter <= p.client.pcounter && p.server.pdcounter <= p.server.pcounter);
    const Range range{{"ndbspax"[how % 7], how}, {"ndbspax"[how / 7 % 7], how}, (how & 4) != 0};
    if (in_range(range, &p.client)) require(!beyond_range(range, &p.client));
    require(track.hostname().size() == how);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Reader in{{data, size}};
    VirtualClock clock(1'700'000'000'000'000'000);
    const std::size_t limit = in.u8() % 24;
    reassemble_any(in.rest);
    MemoryBudget budget(MemoryBudget::least);
    TableOptions options{5, 20, 5, 8, limit, 4096, 1500};
    options.memory = &budget;
    ConnectionTable table(options, clock);
    Observer observer;
    observer.table = &table;
    table.set_observer(&observer);
    while (!in.rest.empty()) {
        const std::uint8_t step = in.u8();
        if ((step & 7) == 0)
            clock.advance_to(clock.boot_ns() + std::int64_t{in.u8()} * in.u8() * 10'000'000);
        table.purge();
        table.release_overdue();
        const Packet packet(in);
        const packet::Dissect d = packet::dissect(
            packet.raw(), step & 8 ? packet::Completeness::partial : packet::Completeness::strict);
        const auto before = table.find(d);
        const ConnectionTable::Pin pin(table, step & 16 ? before.track : nullptr);
        const auto found = table.feed(d);
        require(limit == 0 || table.size() <= limit);
        if (!found) continue;
        const auto after = table.find(d);
        require(after.track == found.track && after.reverse == found.reverse);
        use(*found.track, in.u8());
        if (step & 32) hold(table, *found.track, d.packet);
        if (step & 64) reassemble(*found.track, d, in.u8());
        if (step & 128) keep_past(table, *found.track, d.packet);
        require((table.held_packets() == 0) == (table.held_bytes() == 0));
        require(table.held_bytes() <= 4096);
    }
    table.clear();
    require(table.size() == 0 && table.held_packets() == 0);
    require(budget.share(MemoryBudget::Part::held) == 0);
    require(budget.share(MemoryBudget::Part::messages) == 0);
    return 0;
}
