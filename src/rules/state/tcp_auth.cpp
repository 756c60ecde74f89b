// Theory of operation. A source is unknown, grey or authenticated. Authenticated ones are valid
// until `window` has passed since their last SYN (or SYN+ACK). An unknown one's SYN is treated by
// the method of `syn`, its SYN+ACK by that of `syn_ack`:
//
//   none      valid, nothing is kept
//   greylist  grey: all its packets are invalid for `timeout`; a SYN after that and before another
//             `window` is over authenticates it
//   synack    a SYN+ACK with a wrong acknowledgement number, the cookie. A real host answers with
//             RST whose sequence number is that number (RFC 9293, 3.10.7.3), which authenticates
//   hs        SYN: a right SYN+ACK whose sequence number is the cookie; the host's ACK
//   authenticates
//             and gets a RST, since there is no connection. SYN+ACK: one that answers a SYN that
//             was seen authenticates; else a bare ACK with the cookie, and RST as above
//
// A cookie is a keyed hash of the method, id, end points and the time slot of `timeout` length;
// that of the previous slot is as good. So nothing is kept for a source before it has answered.
#include "nfqws2/rules/state/tcp_auth.hpp"

#include "nfqws2/rules/state/source_bits.hpp"
#include "source_table.hpp"

#include <algorithm>
#include <cstring>

namespace nfqws2::rules {

namespace {

constexpr std::uint16_t answer_mss = 536;

// Nobody there would answer, or everybody.
bool can_be_answered(const IpAddress& address) {
    const std::uint8_t first = address.raw[0];
    if (address.version == 4) return first != 0 && first < 224; // class E has the broadcast
    if (first == 0xFF) return false;
    return std::any_of(address.raw.begin(), address.raw.end(),
                       [](std::uint8_t b) { return b != 0; });
}

enum class Cookie : std::uint8_t { synack, hs, ack };

std::int64_t slot_of(std::int64_t now_ns, std::int64_t timeout_ns) {
    return now_ns / std::max<std::int64_t>(timeout_ns, 1);
}

// End points as seen from the source that is to be authenticated.
std::uint32_t cookie(const SipKey& key, Cookie kind, std::uint8_t id, const AuthPacket& packet,
                     std::int64_t slot) {
    std::array<std::uint8_t, 48> text{};
    std::memcpy(text.data(), packet.source.raw.data(), 16);
    std::memcpy(text.data() + 16, packet.destination.raw.data(), 16);
    store_be16(text.data() + 32, packet.source_port);
    store_be16(text.data() + 34, packet.destination_port);
    text[36] = id;
    text[37] = static_cast<std::uint8_t>(kind);
    text[38] = packet.source.version;
    store_be32(text.data() + 40,
               static_cast<std::uint32_t>(static_cast<std::uint64_t>(slot) >> 32));
    store_be32(text.data() + 44, static_cast<std::uint32_t>(slot));
    return static_cast<std::uint32_t>(siphash<2, 4>(key, text));
}

struct SourceKey {
    std::uint32_t hash;
    std::array<std::uint8_t, 16> data;
};

SourceKey source_key(const SipKey& key, std::uint8_t id, const IpAddress& source) {
    std::array<std::uint8_t, 18> text;
    std::memcpy(text.data(), source.raw.data(), 16);
    text[16] = id;
    text[17] = source.version;
    return {table_hash(key, text), source.raw};
}

// Of a connection as its SYN names it; the last 4 bytes are free for the sequence number.
SourceKey syn_key(const SipKey& key, std::uint8_t id, const IpAddress& from,
                  std::uint16_t from_port, const IpAddress& to, std::uint16_t to_port) {
    std::array<std::uint8_t, 38> text;
    std::memcpy(text.data(), from.raw.data(), 16);
    std::memcpy(text.data() + 16, to.raw.data(), 16);
    store_be16(text.data() + 32, from_port);
    store_be16(text.data() + 34, to_port);
    text[36] = id;
    text[37] = from.version;
    const Hash128 hash = siphash128(key, text);
    SourceKey name{static_cast<std::uint32_t>(hash.second >> 32), {}};
    std::memcpy(name.data.data(), &hash.first, 8);
    const auto second = static_cast<std::uint32_t>(hash.second);
    std::memcpy(name.data.data() + 8, &second, 4);
    return name;
}

} // namespace

std::optional<AuthMethod> auth_method(std::string_view word) {
    if (word == "none") return AuthMethod::none;
    if (word == "synack") return AuthMethod::synack;
    if (word == "hs") return AuthMethod::hs;
    if (word == "greylist") return AuthMethod::greylist;
    return std::nullopt;
}

std::int64_t AuthParameters::default_timeout_ns(AuthMethod syn, AuthMethod syn_ack) {
    const bool grey = syn == AuthMethod::greylist || syn_ack == AuthMethod::greylist;
    return grey ? 800'000'000 : 5'000'000'000;
}

bool AnswerLimit::take(std::int64_t now_ns) {
    const std::int64_t second = now_ns / 1'000'000'000;
    if (second != second_) {
        second_ = second;
        sent_ = 0;
    }
    if (sent_ >= per_second) return false;
    sent_++;
    return true;
}

class TcpAuth::Sources {
  public:
    explicit Sources(const TableSetup& setup) : table(setup) {}
    ShardedTable<SourceEntry> table;
};

// The judgement of one packet.
class TcpAuth::Judge {
  public:
    Judge(TcpAuth& auth, std::uint8_t id, const AuthParameters& parameters,
          const AuthPacket& packet, std::int64_t now_ns, Random& random, AnswerLimit& limit)
        : auth_(auth), id_(id), parameters_(parameters), packet_(packet), now_ns_(now_ns),
          random_(random), limit_(limit),
          key_(source_key(auth.key_, id, source_of(packet.source, auth.source_bits_))) {}

    AuthDecision decide();

  private:
    enum class Form : std::uint8_t { syn, syn_ack, rst, ack, other };
    Form form() const;
    AuthMethod method(Form form) const {
        if (form == Form::syn) return parameters_.syn;
        return form == Form::syn_ack ? parameters_.syn_ack : AuthMethod::none;
    }
    AuthDecision opening(Form form);
    AuthDecision other(Form form);

    SourceState look_up(Form form);
    void remember(SourceState state);
    void authenticate() {
        remember(SourceState::authenticated);
        add(auth_.of(id_).passed);
    }
    void note_syn();
    bool answers_a_syn() const;

    bool is_cookie(Cookie kind, std::uint32_t number) const;
    std::uint32_t present_cookie(Cookie kind) const {
        return cookie(auth_.key_, kind, id_, packet_, slot_of(now_ns_, parameters_.timeout_ns));
    }
    bool may_answer() const {
        return !packet_.fragment && can_be_answered(packet_.source) &&
               can_be_answered(packet_.destination) && packet_.source != packet_.destination;
    }
    AuthDecision invalid_with(AuthAnswer::Kind kind, std::uint8_t flags, std::uint32_t seq,
                              std::uint32_t ack, std::uint16_t mss = 0);
    std::uint32_t any_but(std::uint32_t number);
    static void add(std::atomic<std::uint64_t>& counter) {
        counter.fetch_add(1, std::memory_order_relaxed);
    }

    TcpAuth& auth_;
    std::uint8_t id_;
    const AuthParameters& parameters_;
    const AuthPacket& packet_;
    std::int64_t now_ns_;
    Random& random_;
    AnswerLimit& limit_;
    SourceKey key_;
};

TcpAuth::Judge::Form TcpAuth::Judge::form() const {
    if ((packet_.flags & tcp_flag::rst) != 0) return Form::rst;
    const bool ack = (packet_.flags & tcp_flag::ack) != 0;
    if ((packet_.flags & tcp_flag::syn) != 0) return ack ? Form::syn_ack : Form::syn;
    return ack ? Form::ack : Form::other;
}

AuthDecision TcpAuth::Judge::decide() {
    const Form form = this->form();
    AuthDecision decision;
    switch (look_up(form)) {
    case SourceState::authenticated:
        decision.verdict = AuthVerdict::valid;
        break;
    case SourceState::grey:
        decision.verdict = AuthVerdict::invalid;
        break;
    default:
        decision = form == Form::syn || form == Form::syn_ack ? opening(form) : other(form);
    }
    if (form == Form::syn && decision.verdict != AuthVerdict::invalid) note_syn();
    return decision;
}

// The SYN or SYN+ACK of an unknown source.
AuthDecision TcpAuth::Judge::opening(Form form) {
    constexpr std::uint8_t syn_ack = tcp_flag::syn | tcp_flag::ack;
    switch (method(form)) {
    case AuthMethod::none:
        return {AuthVerdict::valid, {}};
    case AuthMethod::greylist:
        remember(SourceState::grey);
        break;
    case AuthMethod::synack: {
        const std::uint32_t wrong = present_cookie(Cookie::synack);
        if (wrong == packet_.seq + 1) break; // it would be right; the next slot has another
        return invalid_with(AuthAnswer::Kind::syn_ack, syn_ack,
                            static_cast<std::uint32_t>(random_.next64()), wrong);
    }
    case AuthMethod::hs:
        if (form == Form::syn)
            return invalid_with(AuthAnswer::Kind::syn_ack, syn_ack, present_cookie(Cookie::hs),
                                packet_.seq + 1, answer_mss);
        if (answers_a_syn()) {
            authenticate();
            return {AuthVerdict::valid, {}};
        }
        return invalid_with(AuthAnswer::Kind::ack, tcp_flag::ack, any_but(packet_.ack),
                            present_cookie(Cookie::ack));
    }
    return {AuthVerdict::invalid, {}};
}

// Another packet of an unknown source: perhaps what it was asked for.
AuthDecision TcpAuth::Judge::other(Form form) {
    if (form == Form::rst) {
        const bool good =
            (parameters_.syn == AuthMethod::synack && is_cookie(Cookie::synack, packet_.seq)) ||
            (parameters_.syn_ack == AuthMethod::hs && is_cookie(Cookie::ack, packet_.seq));
        if (good) {
            authenticate();
            return {AuthVerdict::invalid, {}};
        }
    }
    if (form == Form::ack && parameters_.syn == AuthMethod::hs &&
        is_cookie(Cookie::hs, packet_.ack - 1)) {
        authenticate();
        return invalid_with(AuthAnswer::Kind::rst, tcp_flag::rst, packet_.ack, 0);
    }
    return {parameters_.strict ? AuthVerdict::invalid : AuthVerdict::unchanged, {}};
}

bool TcpAuth::Judge::is_cookie(Cookie kind, std::uint32_t number) const {
    const std::int64_t slot = slot_of(now_ns_, parameters_.timeout_ns);
    return number == cookie(auth_.key_, kind, id_, packet_, slot) ||
           number == cookie(auth_.key_, kind, id_, packet_, slot - 1);
}

std::uint32_t TcpAuth::Judge::any_but(std::uint32_t number) {
    const auto drawn = static_cast<std::uint32_t>(random_.next64());
    return drawn == number ? drawn + 1 : drawn;
}

AuthDecision TcpAuth::Judge::invalid_with(AuthAnswer::Kind kind, std::uint8_t flags,
                                          std::uint32_t seq, std::uint32_t ack, std::uint16_t mss) {
    AuthDecision decision{AuthVerdict::invalid, {}};
    if (!may_answer()) return decision;
    if (!limit_.take(now_ns_)) {
        add(auth_.limited_);
        return decision;
    }
    if (kind != AuthAnswer::Kind::rst) add(auth_.of(id_).challenged);
    AuthAnswer& answer = decision.answer;
    answer.kind = kind;
    answer.source = packet_.destination;
    answer.destination = packet_.source;
    answer.source_port = packet_.destination_port;
    answer.destination_port = packet_.source_port;
    answer.seq = seq;
    answer.ack = ack;
    answer.flags = flags;
    answer.mss = mss;
    return decision;
}

// The state of the source, unknown if what is known is over. A SYN (SYN+ACK) renews it.
SourceState TcpAuth::Judge::look_up(Form form) {
    auto& table = auth_.sources_->table;
    auto& part = table.part_of(key_.hash);
    const auto held = table.lock(part);
    SourceEntry* entry = part.find(key_.hash, [&](const SourceEntry& found) {
        return found.id == id_ && found.key == key_.data;
    });
    if (entry == nullptr) return SourceState::unknown;
    const std::int64_t age = entry->age_ns(now_ns_);
    const bool opens = form == Form::syn || form == Form::syn_ack;
    if (entry->state == SourceState::authenticated) {
        if (age >= parameters_.window_ns) return SourceState::unknown;
        if (opens) entry->set_time(now_ns_);
        return SourceState::authenticated;
    }
    if (age < parameters_.timeout_ns) return SourceState::grey;
    if (!opens || method(form) != AuthMethod::greylist ||
        age - parameters_.timeout_ns >= parameters_.window_ns)
        return SourceState::unknown;
    entry->state = SourceState::authenticated;
    entry->set_time(now_ns_);
    add(auth_.of(id_).passed);
    return SourceState::authenticated;
}

void TcpAuth::Judge::remember(SourceState state) {
    auto& table = auth_.sources_->table;
    auto& part = table.part_of(key_.hash);
    const auto held = table.lock(part);
    SourceEntry* entry = part.find(key_.hash, [&](const SourceEntry& found) {
        return found.id == id_ && found.key == key_.data;
    });
    if (entry == nullptr) {
        entry = part.make(
            key_.hash, [&](const SourceEntry& other) { return auth_.left_ns(other, now_ns_) <= 0; },
            [&](const SourceEntry& other) {
                const std::int64_t left = auth_.left_ns(other, now_ns_);
                return left <= 0 ? worthless : left;
            },
            [&](const SourceEntry& other) {
                auth_.of(other.id).sources.fetch_sub(1, std::memory_order_relaxed);
            });
        if (entry == nullptr) return; // memory is short: it stays unknown
        add(auth_.of(id_).sources);
    }
    entry->key = key_.data;
    entry->id = id_;
    entry->state = state;
    entry->set_time(now_ns_);
}

void TcpAuth::Judge::note_syn() {
    if (parameters_.syn_ack != AuthMethod::hs) return;
    SourceKey key = syn_key(auth_.key_, id_, packet_.source, packet_.source_port,
                            packet_.destination, packet_.destination_port);
    auto& table = auth_.syns_->table;
    auto& part = table.part_of(key.hash);
    const auto held = table.lock(part);
    SourceEntry* entry = part.find(key.hash, [&](const SourceEntry& found) {
        return std::equal(key.data.begin(), key.data.begin() + 12, found.key.begin());
    });
    if (entry == nullptr) {
        entry = part.make(
            key.hash, [&](const SourceEntry& other) { return auth_.left_ns(other, now_ns_) <= 0; },
            [&](const SourceEntry& other) {
                const std::int64_t left = auth_.left_ns(other, now_ns_);
                return left <= 0 ? worthless : left;
            },
            [](const SourceEntry&) {});
        if (entry == nullptr) return;
    }
    store_be32(key.data.data() + 12, packet_.seq);
    entry->key = key.data;
    entry->id = id_;
    entry->state = SourceState::syn;
    entry->set_time(now_ns_);
}

bool TcpAuth::Judge::answers_a_syn() const {
    const SourceKey key = syn_key(auth_.key_, id_, packet_.destination, packet_.destination_port,
                                  packet_.source, packet_.source_port);
    const auto& table = auth_.syns_->table;
    auto& part = table.part_of(key.hash);
    const auto held = table.lock(part);
    const SourceEntry* entry = part.find(key.hash, [&](const SourceEntry& found) {
        return std::equal(key.data.begin(), key.data.begin() + 12, found.key.begin());
    });
    return entry != nullptr && entry->age_ns(now_ns_) < parameters_.timeout_ns &&
           packet_.ack == load_be32(entry->key.data() + 12) + 1;
}

TcpAuth::TcpAuth(const TableSetup& setup)
    : key_(setup.key), source_bits_(setup.ipv6_source_bits),
      sources_(std::make_unique<Sources>(setup)), syns_(std::make_unique<Sources>(setup)),
      ids_(std::make_unique<std::array<PerId, 256>>()) {
}
TcpAuth::~TcpAuth() = default;

// How long what is kept there still counts, by what its id was configured with.
std::int64_t TcpAuth::left_ns(const SourceEntry& entry, std::int64_t now_ns) const {
    const PerId& id = of(entry.id);
    const std::int64_t timeout = id.timeout_ns.load(std::memory_order_relaxed);
    const std::int64_t window = id.window_ns.load(std::memory_order_relaxed);
    const std::int64_t age = entry.age_ns(now_ns);
    if (entry.state == SourceState::authenticated) return window - age;
    return entry.state == SourceState::syn ? timeout - age : timeout - age + window;
}

void TcpAuth::configure(std::uint8_t id, const AuthParameters& parameters) {
    of(id).timeout_ns.store(parameters.timeout_ns, std::memory_order_relaxed);
    of(id).window_ns.store(parameters.window_ns, std::memory_order_relaxed);
}

AuthDecision TcpAuth::check(std::uint8_t id, const AuthParameters& parameters,
                            const AuthPacket& packet, std::int64_t now_ns, Random& random,
                            AnswerLimit& limit) {
    return Judge(*this, id, parameters, packet, now_ns, random, limit).decide();
}

TcpAuth::Counts TcpAuth::counts(std::uint8_t id) const {
    const PerId& of_id = of(id);
    return {of_id.sources.load(std::memory_order_relaxed),
            of_id.challenged.load(std::memory_order_relaxed),
            of_id.passed.load(std::memory_order_relaxed)};
}

TableCounts TcpAuth::table_counts() const {
    TableCounts sum = sources_->table.counts();
    const TableCounts syns = syns_->table.counts();
    sum.entries += syns.entries;
    sum.bytes += syns.bytes;
    sum.evicted += syns.evicted;
    return sum;
}

void TcpAuth::set_limit(std::size_t sources) {
    sources_->table.set_limit(sources);
    syns_->table.set_limit(sources);
}

} // namespace nfqws2::rules
