// Theory of operation. A track is a packed record in a slab, found through a linear hash over both
// endpoints in a fixed order, so that one search serves both directions; the hash is keyed, and the
// table grows and shrinks by single buckets.
//
// Expiry: every track is in a slot of one of two timing wheels, by the second at which it could
// expire. A packet only stamps the track; when the slot comes up, a track that was used meanwhile
// is put into the slot of its new deadline. Only a time-out that became shorter (ESTABLISHED to
// FIN) moves a track at once. Each call of purge() looks at a bounded number of tracks.
//
// Limit: flows that have shown only one side (TCP before ESTABLISHED, UDP without an answer) have a
// wheel of their own; when the table is full its earliest track makes room, and only without one
// the earliest of the answered flows.
//
// Memory: what is kept for traffic - the flows' records, held packets, messages, and what scripts
// keep - has one budget. When it is full a new flow takes the place of the one that waits longest
// for an answer (a flood cannot push out flows that are answered within a round trip), and packets
// are held only at the expense of hellos that have left and of the youngest flow that holds packets
// without an answer; a flow without an answer cannot push out anybody.
//
// End of a track: out of table and wheel, then the observer is told, then the memory goes. A pinned
// track is kept until the last pin is gone; meanwhile its tuple may get a new track.
#include "nfqws2/flow/connection_table.hpp"
#include "nfqws2/base/sort.hpp"

#include "dump.hpp"
#include "expiry_wheel.hpp"
#include "flow_memory.hpp"
#include "heap_trim.hpp"
#include "hold_list.hpp"
#include "nfqws2/base/linear_hash.hpp"
#include "nfqws2/base/siphash.hpp"
#include "nfqws2/flow/pieces.hpp"
#include "past_list.hpp"
#include "tcp_state.hpp"
#include "tuple.hpp"

#include <algorithm>
#include <limits>

namespace nfqws2::flow {

namespace {

using detail::TrackData;

constexpr std::uint32_t no_deadline = 0xFFFF0000; // far behind any slot of a wheel
constexpr unsigned purge_budget = 256;            // tracks looked at per call
constexpr unsigned release_budget = 8;            // flows whose held packets are released per call
constexpr unsigned eviction_tries = 16;           // refreshed tracks passed over for a victim
constexpr unsigned shed_budget = 4;               // flows that make room for a new one
constexpr std::size_t least_tracks = 1024;        // whatever else has taken the memory

} // namespace

struct ConnectionTable::Impl {
    struct DataAt {
        const SlabPool* pool;
        TrackData& operator()(std::uint32_t index) const {
            return static_cast<Track*>(pool->at(index))->d_;
        }
        // A record has four cache lines; fetched together they cost little more than one.
        void prefetch(std::uint32_t index) const {
            const char* p = static_cast<const char*>(pool->at(index));
            for (std::size_t offset = 0; offset < sizeof(Track); offset += 64)
                __builtin_prefetch(p + offset, 1);
        }
    };

    Impl(const TableOptions& o, Clock& c)
        : options(o), clock(c), epoch_s(c.boot_s()), table(DataAt{&memory.tracks}),
          unanswered(DataAt{&memory.tracks}), answered(DataAt{&memory.tracks}) {}
    ~Impl() {
        table.for_each([this](std::uint32_t index) { at(index).~Track(); });
    }

    Track& at(std::uint32_t index) const { return *static_cast<Track*>(memory.tracks.at(index)); }
    static std::uint32_t index_of(const Track& track) { return SlabPool::index_of(&track); }

    // Seconds since the table was made: small numbers, and whole seconds of the clock.
    std::uint32_t seconds(std::int64_t ns) const {
        return static_cast<std::uint32_t>(std::max<std::int64_t>(ns / second_ns - epoch_s, 0));
    }
    std::uint32_t timeout(const TrackData& d) const {
        if (!d.flags.tcp) return options.timeout_udp;
        switch (static_cast<TcpState>(d.state)) {
        case TcpState::syn:
            return options.timeout_syn;
        case TcpState::established:
            return options.timeout_established;
        case TcpState::fin:
            break;
        }
        return options.timeout_fin;
    }
    std::uint32_t deadline(const TrackData& d) const {
        const std::uint64_t end = std::uint64_t{seconds(d.last_ns)} + timeout(d);
        return static_cast<std::uint32_t>(std::min<std::uint64_t>(end, no_deadline));
    }
    ExpiryWheel<DataAt>& wheel_of(const TrackData& d) {
        return d.flags.answered ? answered : unanswered;
    }
    void relink(std::uint32_t index, TrackData& d, std::uint32_t second) {
        wheel_of(d).unlink(index);
        wheel_of(d).link(index, second);
    }

    Found find(const Tuple& tuple, std::uint32_t hash) const;
    Track* create(const Tuple& tuple, std::uint32_t hash, std::int64_t now);
    Track* reset(Track& track, std::int64_t now);
    void settle(Track& track, bool state_changed);
    void retire(std::uint32_t index);
    void finish(Track& track);
    bool evict_one();
    bool room_for_track();
    HoldList& holds_of(const Track& track) {
        return track.extension() && track.extension()->hold_link.unanswered ? unanswered_holds
                                                                            : holds;
    }
    std::size_t held_bytes() const { return holds.bytes() + unanswered_holds.bytes(); }
    bool lacks_answer(const TrackData& d) const {
        return d.flags.tcp && answers_seen && d.server.pcounter_low == 0;
    }
    void tell_memory();
    void visit(std::uint32_t index, std::uint32_t now_s);
    bool release_overdue(std::int64_t now);
    Track* next_to_release(std::int64_t* due_ns) const;
    Track* next_to_release(const HoldList& list, std::uint32_t idle_ms, std::uint32_t most_ms,
                           std::int64_t* due_ns) const;
    void forget_past(std::int64_t now);

    TableOptions options;
    Clock& clock;
    TrackObserver* observer = nullptr;
    std::int64_t epoch_s;
    SipKey key = SipKey::random();
    FlowMemory memory;
    LinearHash<DataAt> table;
    ExpiryWheel<DataAt> unanswered, answered;
    HoldList holds, unanswered_holds;
    PastList pasts;
    bool answers_seen = false; // rules may queue outgoing packets only
    MemoryShare flow_share{options.memory, MemoryBudget::Part::flows};
    MemoryShare held_share{options.memory, MemoryBudget::Part::held};
    MemoryShare message_share{options.memory, MemoryBudget::Part::messages};
    HeapTrim heap_trim{options.max_held_bytes};
    std::uint32_t last_number = 0;
    std::uint64_t evictions = 0;
};

ConnectionTable::Found ConnectionTable::Impl::find(const Tuple& t, std::uint32_t hash) const {
    Found found;
    const std::uint32_t index = table.find(hash, [&](std::uint32_t i) {
        const TrackData& d = at(i).d_;
        if (d.flags.tcp != t.tcp || d.flags.ipv6 != t.ipv6) return false;
        if (t.source_is(d.client_address, d.client_port) &&
            t.destination_is(d.server_address, d.server_port)) {
            found.reverse = false;
            return true;
        }
        found.reverse = true;
        return t.source_is(d.server_address, d.server_port) &&
               t.destination_is(d.client_address, d.client_port);
    });
    if (index == LinearHash<DataAt>::not_found) return {};
    found.track = &at(index);
    return found;
}

// The tuple's source becomes the client.
Track* ConnectionTable::Impl::create(const Tuple& t, std::uint32_t hash, std::int64_t now) {
    if (options.max_tracks != 0 && table.size() >= options.max_tracks && !evict_one())
        return nullptr;
    if (!room_for_track()) return nullptr;
    void* memory_for_track = memory.tracks.allocate();
    if (memory_for_track == nullptr) return nullptr;
    Track& track = *::new (memory_for_track) Track();
    TrackData& d = track.d_;
    d.hash = hash;
    d.client_address = t.source;
    d.server_address = t.destination;
    d.client_port = t.source_port;
    d.server_port = t.destination_port;
    d.flags.tcp = t.tcp;
    d.flags.ipv6 = t.ipv6;
    d.l7 = static_cast<std::uint8_t>(protocol::L7::unknown);
    d.start_ns = d.last_ns = now;
    d.number = ++last_number;
    const std::uint32_t index = index_of(track);
    table.insert(index);
    unanswered.link(index, deadline(d));
    tell_memory();
    return &track;
}

// A new track in the place of the old one, with the same roles.
Track* ConnectionTable::Impl::reset(Track& track, std::int64_t now) {
    const TrackData& d = track.d_;
    const Tuple roles{d.client_address, d.server_address, d.client_port,
                      d.server_port,    d.flags.tcp,      d.flags.ipv6};
    const std::uint32_t hash = d.hash;
    retire(index_of(track));
    return create(roles, hash, now);
}

// A flow that was answered changes the wheel; a time-out that became shorter changes the slot.
void ConnectionTable::Impl::settle(Track& track, bool state_changed) {
    TrackData& d = track.d_;
    const bool now_answered = d.flags.tcp
                                  ? track.state() != TcpState::syn
                                  : d.client.pcounter_low != 0 && d.server.pcounter_low != 0;
    if (now_answered && !d.flags.answered) {
        const std::uint32_t index = index_of(track);
        unanswered.unlink(index);
        d.flags.answered = true;
        answered.link(index, deadline(d));
    } else if (state_changed && deadline(d) < d.wheel_s) {
        relink(index_of(track), d, deadline(d));
    }
}

void ConnectionTable::Impl::retire(std::uint32_t index) {
    Track& track = at(index);
    table.erase(index);
    wheel_of(track.d_).unlink(index);
    track.d_.flags.ended = true;
    if (track.d_.pins == 0) finish(track);
}

void ConnectionTable::Impl::finish(Track& track) {
    if (observer != nullptr) observer->on_track_end(track);
    holds_of(track).remove(track);
    pasts.take(track);
    track.~Track();
    SlabPool::release(&track);
    tell_memory();
}

bool ConnectionTable::Impl::evict_one() {
    for (unsigned tries = 0; tries < eviction_tries; tries++) {
        std::uint32_t index = unanswered.first();
        if (index == ExpiryWheel<DataAt>::none) index = answered.first();
        if (index == ExpiryWheel<DataAt>::none) return false;
        TrackData& d = at(index).d_;
        const bool used_since = deadline(d) > d.wheel_s && tries + 1 < eviction_tries;
        if (d.pins == 0 && !used_since) {
            retire(index);
            evictions++;
            return true;
        }
        relink(index, d, std::max(deadline(d), d.wheel_s + 1));
    }
    return false;
}

bool ConnectionTable::Impl::room_for_track() {
    if (options.memory == nullptr || table.size() < least_tracks) return true;
    for (unsigned i = 0; i < shed_budget && !options.memory->room(sizeof(Track)); i++)
        if (!evict_one()) return false;
    return options.memory->room(sizeof(Track));
}

void ConnectionTable::Impl::tell_memory() {
    if (options.memory == nullptr) return;
    flow_share.set(memory.bytes());
    held_share.set(held_bytes() + pasts.bytes());
    message_share.set(holds.message_bytes() + unanswered_holds.message_bytes());
}

// A track whose slot has come: expired, or used since it was put there.
void ConnectionTable::Impl::visit(std::uint32_t index, std::uint32_t now_s) {
    TrackData& d = at(index).d_;
    const std::uint32_t end = deadline(d);
    if (end <= now_s && d.pins == 0)
        retire(index);
    else
        relink(index, d, std::max(end, now_s + 1));
}

// The flow whose held packets are due first, and when.
Track* ConnectionTable::Impl::next_to_release(std::int64_t* due_ns) const {
    if (options.release_ms == 0) return nullptr;
    std::int64_t due = 0, unanswered_due = 0;
    Track* track = next_to_release(holds, options.release_ms, options.release_max_ms, &due);
    Track* unanswered = next_to_release(unanswered_holds, options.release_unanswered_ms,
                                        options.release_unanswered_max_ms, &unanswered_due);
    const bool first = unanswered == nullptr || (track != nullptr && due <= unanswered_due);
    *due_ns = first ? due : unanswered_due;
    return first ? track : unanswered;
}

Track* ConnectionTable::Impl::next_to_release(const HoldList& list, std::uint32_t idle_ms,
                                              std::uint32_t most_ms, std::int64_t* due_ns) const {
    Track *idle = list.idle_longest(), *oldest = list.held_longest();
    if (idle == nullptr) return nullptr;
    constexpr std::int64_t ms = 1'000'000;
    const std::int64_t idle_due = idle->extension()->hold_link.news_ns + idle_ms * ms;
    const std::int64_t age_due = oldest->extension()->hold_link.first_ns + most_ms * ms;
    *due_ns = std::min(idle_due, age_due);
    return idle_due <= age_due ? idle : oldest;
}

bool ConnectionTable::Impl::release_overdue(std::int64_t now) {
    for (unsigned i = 0; i < release_budget; i++) {
        std::int64_t due = 0;
        Track* track = next_to_release(&due);
        if (track == nullptr || due > now) return false;
        if (observer != nullptr)
            observer->on_held_timeout(*track);
        else
            track->extension()->held.clear();
        holds_of(*track).update(*track, now, false);
        if (track->holding()) holds_of(*track).postpone(*track, now);
    }
    return true;
}

void ConnectionTable::Impl::forget_past(std::int64_t now) {
    for (unsigned i = 0; i < release_budget; i++) {
        const PastHello* past = pasts.oldest();
        if (past == nullptr || now - past->last_ns < past_life_ns) return;
        pasts.take(*past->track);
    }
}

ConnectionTable::ConnectionTable(const TableOptions& options, Clock& clock)
    : impl_(std::make_unique<Impl>(options, clock)) {
}
ConnectionTable::~ConnectionTable() = default;

void ConnectionTable::set_observer(TrackObserver* observer) {
    impl_->observer = observer;
}

ConnectionTable::Found ConnectionTable::feed(const packet::Dissect& d, std::uint32_t piece_size) {
    if (!is_tracked(d)) return {};
    Impl& t = *impl_;
    const std::int64_t now = t.clock.boot_ns();
    const bool tcp = d.l4 == packet::L4::tcp;
    const auto handshake = tcp ? detail::handshake_of(d.tcp_flags()) : detail::Handshake::none;

    Tuple tuple = Tuple::of(d);
    const std::uint32_t hash = tuple.hash(t.key); // of both directions
    Found found = t.find(tuple, hash);
    if (!found) {
        if (tcp && handshake == detail::Handshake::none) return {};
        if (handshake == detail::Handshake::syn_ack) {
            tuple = tuple.swapped();
            found.reverse = true;
        }
        found.track = t.create(tuple, hash, now);
    } else if (tcp && detail::starts_over(found.track->d_, d)) {
        found.track = t.reset(*found.track, now);
    }
    if (!found) return {};

    if (found.reverse && handshake == detail::Handshake::syn_ack) t.answers_seen = true;
    TrackData& data = found.track->d_;
    data.last_ns = now;
    const std::uint8_t state_before = data.state;
    const auto size = static_cast<std::uint32_t>(d.payload.size());
    const auto [pieces, last] = pieces_of(size, piece_size);
    detail::count_packets(data, pieces, size, found.reverse);
    if (tcp && last != 0) detail::follow_tcp(data, d, {0, last}, found.reverse);
    if (tcp) detail::follow_tcp(data, d, {last, size - last}, found.reverse);
    const bool state_changed = data.state != state_before;
    if (!data.flags.answered || state_changed) t.settle(*found.track, state_changed);
    return found;
}

ConnectionTable::Found ConnectionTable::find(const packet::Dissect& d) const {
    if (!has_ports(d)) return {};
    const Tuple tuple = Tuple::of(d);
    return impl_->find(tuple, tuple.hash(impl_->key));
}

ConnectionTable::Found ConnectionTable::find(bool tcp, const Endpoint& source,
                                             const Endpoint& destination) const {
    const Tuple tuple{
        source.address.raw,         destination.address.raw, source.port, destination.port, tcp,
        source.address.version == 6};
    return impl_->find(tuple, tuple.hash(impl_->key));
}

bool ConnectionTable::purge() {
    Impl& t = *impl_;
    const std::int64_t now = t.clock.boot_ns();
    const std::uint32_t now_s = t.seconds(now);
    unsigned budget = purge_budget;
    const auto visit = [&](std::uint32_t index) { t.visit(index, now_s); };
    bool more = t.unanswered.run(now_s, &budget, visit);
    more |= t.answered.run(now_s, &budget, visit);
    t.forget_past(now);
    t.heap_trim.run(now);
    return more;
}

bool ConnectionTable::release_overdue() {
    if (held_packets() == 0) return false;
    return impl_->release_overdue(impl_->clock.boot_ns());
}

int ConnectionTable::next_purge_ms() const {
    const Impl& t = *impl_;
    const std::uint32_t next = std::min(t.unanswered.first_second(), t.answered.first_second());
    std::int64_t due_ns = t.heap_trim.next_ns();
    if (next != ExpiryWheel<Impl::DataAt>::none)
        due_ns = std::min(due_ns, (t.epoch_s + next) * second_ns);
    if (due_ns == HeapTrim::never) return -1;
    const std::int64_t left_ms = (due_ns - t.clock.boot_ns() + 999'999) / 1'000'000;
    return static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, INT32_MAX));
}

int ConnectionTable::next_release_ms() const {
    const Impl& t = *impl_;
    std::int64_t due_ns = 0;
    if (t.next_to_release(&due_ns) == nullptr) return -1;
    const std::int64_t left_ms = (due_ns - t.clock.boot_ns() + 999'999) / 1'000'000;
    return static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, INT32_MAX));
}

bool ConnectionTable::may_hold(std::size_t packet_size) const {
    const std::size_t cost = HoldList::cost(packet_size), limit = impl_->options.max_held_bytes;
    return cost <= limit && impl_->held_bytes() <= limit - cost;
}

bool ConnectionTable::make_room(const Track& track, std::size_t packet_size) {
    Impl& t = *impl_;
    const std::size_t cost = HoldList::cost(packet_size), limit = t.options.max_held_bytes;
    const auto room = [&] {
        return t.held_bytes() + t.pasts.bytes() + cost <= limit &&
               (t.options.memory == nullptr || t.options.memory->room(cost + packet_size));
    };
    const bool may_push_out = !t.lacks_answer(track.d_);
    for (unsigned i = 0; i < max_held_packets; i++) {
        if (room()) return true;
        Track* youngest = may_push_out ? t.unanswered_holds.held_shortest() : nullptr;
        if (t.pasts.oldest() != nullptr)
            t.pasts.take(*t.pasts.oldest()->track);
        else if (youngest != nullptr && youngest != &track && t.observer != nullptr)
            t.observer->on_held_timeout(*youngest);
        else
            return false;
        t.tell_memory();
    }
    return room();
}

void ConnectionTable::held_changed(Track& track, bool news) {
    Impl& t = *impl_;
    const std::int64_t now = t.clock.boot_ns();
    TrackExtension* extension = track.extension();
    if (extension != nullptr && extension->hold_link.packets == 0)
        extension->hold_link.unanswered = t.lacks_answer(track.d_);
    t.holds_of(track).update(track, now, news);
    t.tell_memory();
    t.heap_trim.note(t.held_bytes() + t.pasts.bytes(), now);
}

void ConnectionTable::keep_past(Track& track, std::unique_ptr<PastHello> past) {
    Impl& t = *impl_;
    if (track.d_.flags.ended || track.extension() == nullptr) return;
    past->last_ns = t.clock.boot_ns();
    const std::size_t cost = PastList::cost(*past);
    if (t.held_bytes() + t.pasts.bytes() + cost > t.options.max_held_bytes) return;
    if (t.options.memory != nullptr && !t.options.memory->room(cost)) return;
    t.pasts.add(track, std::move(past));
    t.tell_memory();
}

std::unique_ptr<PastHello> ConnectionTable::take_past(Track& track) {
    return impl_->pasts.take(track);
}

ConnectionTable::Pin::Pin(ConnectionTable& table, Track* track) : table_(table), track_(track) {
    if (track_ != nullptr) track_->d_.pins++;
}

ConnectionTable::Pin::~Pin() {
    if (track_ == nullptr) return;
    TrackData& d = track_->d_;
    if (--d.pins == 0 && d.flags.ended) table_.impl_->finish(*track_);
}

void ConnectionTable::for_each_idle(std::int64_t idle_ns,
                                    const std::function<void(Track&)>& visit) {
    Impl& t = *impl_;
    const std::int64_t before = t.clock.boot_ns() - idle_ns;
    t.table.for_each([&](std::uint32_t index) {
        Track& track = t.at(index);
        const TrackData& d = track.d_;
        const bool over = d.flags.tcp && track.state() == TcpState::fin;
        if (d.pins == 0 && (over || d.last_ns <= before)) visit(track);
    });
}

std::uint32_t ConnectionTable::scan(std::uint32_t cursor, std::size_t least,
                                    const std::function<void(const Track&)>& visit) const {
    constexpr unsigned most_buckets = 4096; // a table can be nearly empty
    std::size_t visited = 0;
    for (unsigned i = 0; i < most_buckets && visited < least; i++) {
        cursor = impl_->table.scan(cursor, [&](std::uint32_t index) {
            visit(impl_->at(index));
            visited++;
        });
        if (cursor == 0) break;
    }
    return cursor;
}

std::size_t ConnectionTable::size() const {
    return impl_->table.size();
}

std::int64_t ConnectionTable::longest_hold_ns() const {
    std::int64_t first = std::numeric_limits<std::int64_t>::max();
    for (const HoldList* list : {&impl_->holds, &impl_->unanswered_holds})
        if (const Track* track = list->held_longest())
            first = std::min(first, track->extension()->hold_link.first_ns);
    return first;
}

std::size_t ConnectionTable::held_packets() const {
    return impl_->holds.packets() + impl_->unanswered_holds.packets();
}

std::size_t ConnectionTable::held_bytes() const {
    return impl_->held_bytes();
}

std::uint64_t ConnectionTable::created() const {
    return impl_->last_number;
}

std::uint64_t ConnectionTable::evicted() const {
    return impl_->evictions;
}

void ConnectionTable::clear() {
    Impl& t = *impl_;
    for (ExpiryWheel<Impl::DataAt>* wheel : {&t.unanswered, &t.answered})
        for (std::uint32_t index = wheel->first(); index != ExpiryWheel<Impl::DataAt>::none;
             index = wheel->first())
            t.retire(index);
}

[[gnu::cold]] void
ConnectionTable::dump(const std::function<void(const Track&, const std::string&)>& line) const {
    const Impl& t = *impl_;
    std::vector<const Track*> tracks;
    tracks.reserve(t.table.size());
    t.table.for_each([&](std::uint32_t index) { tracks.push_back(&t.at(index)); });
    sort_stably(tracks, [](const Track* a, const Track* b) { return a->number() < b->number(); });
    const std::int64_t now = t.clock.boot_ns();
    for (const Track* track : tracks)
        line(*track, describe(*track, now));
}

} // namespace nfqws2::flow
