#include "nfqws2/rules/state/marks.hpp"

#include "nfqws2/rules/state/source_bits.hpp"
#include "sharded_table.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace nfqws2::rules {

namespace {

struct MarkEntry {
    std::uint32_t hash = 0, chain = 0;
    std::array<std::uint8_t, 16> data{};
    std::uint32_t value = 0;
    MarkKind kind = MarkKind::source;
    std::uint8_t id = 0, length = 0;
    std::int64_t written_ns = 0, lifetime_ns = 0;

    bool used() const { return id != 0; }
    bool is(const MarkKey& key) const {
        return id == key.id && kind == key.kind && length == key.length && data == key.data;
    }
    std::int64_t age_ns(std::int64_t now_ns) const {
        return std::max<std::int64_t>(now_ns - written_ns, 0);
    }
    std::int64_t expires_ns() const {
        return lifetime_ns > must_stay - written_ns ? must_stay : written_ns + lifetime_ns;
    }
    // What find() does not see any more.
    bool forgotten(std::int64_t now_ns) const {
        return lifetime_ns != 0 && lifetime_ns < must_stay - MarkTable::kept_after_expiry_ns &&
               age_ns(now_ns) >= lifetime_ns + MarkTable::kept_after_expiry_ns;
    }
    Mark mark(std::int64_t now_ns) const {
        if (forgotten(now_ns)) return {};
        const std::int64_t age = age_ns(now_ns);
        const bool over = lifetime_ns != 0 && age >= lifetime_ns;
        return {over ? MarkStatus::expired : MarkStatus::valid, value, age, lifetime_ns};
    }
    // Which goes first: an expired one, else the one that expires first, else the one that was
    // written longest ago. Times are divided to make room for the order of the last two.
    std::int64_t worth(std::int64_t now_ns) const {
        if (lifetime_ns == 0) return must_stay / 2 + written_ns / 4;
        if (age_ns(now_ns) >= lifetime_ns) return worthless;
        return expires_ns() / 4;
    }
};
static_assert(sizeof(MarkEntry) == 48);

struct Words {
    MarkHow how;
    std::string_view word;
};
constexpr Words how_words[] = {
    {MarkHow::set, "set"},     {MarkHow::add, "add"},     {MarkHow::sub, "sub"},
    {MarkHow::mult, "mult"},   {MarkHow::div, "div"},     {MarkHow::inc, "inc"},
    {MarkHow::dec, "dec"},     {MarkHow::bit_and, "and"}, {MarkHow::bit_or, "or"},
    {MarkHow::bit_xor, "xor"}, {MarkHow::bit_not, "not"}, {MarkHow::restore, "restore"},
    {MarkHow::save, "save"},
};

// Bytes of a key as they are being put together.
class KeyText {
  public:
    void put(Bytes bytes) {
        std::memcpy(text_.data() + size_, bytes.data(), bytes.size());
        size_ += bytes.size();
    }
    void put(std::uint16_t number) {
        store_be16(text_.data() + size_, number);
        size_ += 2;
    }
    void put_byte(std::uint8_t byte) { text_[size_++] = byte; }
    Bytes bytes() const { return Bytes(text_).first(size_); }

  private:
    std::array<std::uint8_t, 48> text_;
    std::size_t size_ = 0;
};

MarkKey make_key(const SipKey& sip, MarkKind kind, std::uint8_t id, Bytes text) {
    MarkKey key;
    key.kind = kind;
    key.id = id;
    std::array<std::uint8_t, 64> all;
    std::memcpy(all.data(), text.data(), text.size());
    all[text.size()] = static_cast<std::uint8_t>(kind);
    all[text.size() + 1] = id;
    const Bytes hashed = Bytes(all).first(text.size() + 2);
    if (text.size() <= key.data.size()) {
        std::memcpy(key.data.data(), text.data(), text.size());
        key.length = static_cast<std::uint8_t>(text.size());
        key.hash = table_hash(sip, hashed);
        return key;
    }
    const Hash128 hash = siphash128(sip, hashed);
    std::memcpy(key.data.data(), &hash.first, 8);
    std::memcpy(key.data.data() + 8, &hash.second, 8);
    key.hash = static_cast<std::uint32_t>(hash.first ^ hash.second >> 32);
    return key;
}

IpAddress address_from(const std::uint8_t* bytes, std::size_t length) {
    return length == 4 ? IpAddress::v4(bytes) : IpAddress::v6(bytes);
}

MarkTable::Listed listed(const MarkEntry& entry, std::int64_t now_ns) {
    MarkTable::Listed item{entry.kind, entry.id, {}, {}, 0, 0, 0, entry.mark(now_ns)};
    const std::uint8_t* p = entry.data.data();
    if (entry.length == 0) return item;
    if (entry.kind == MarkKind::source || entry.kind == MarkKind::destination) {
        item.a = address_from(p, entry.length);
        return item;
    }
    item.a = IpAddress::v4(p);
    item.b = IpAddress::v4(p + 4);
    if (entry.kind == MarkKind::connection) {
        item.a_port = load_be16(p + 8);
        item.b_port = load_be16(p + 10);
        item.protocol = p[12];
    }
    return item;
}

} // namespace

std::optional<MarkKind> mark_kind(std::string_view word) {
    if (word == "hmark") return MarkKind::source;
    if (word == "dhmark") return MarkKind::destination;
    if (word == "sdhmark" || word == "sdmark") return MarkKind::pair;
    if (word == "connmark") return MarkKind::connection;
    return std::nullopt;
}

std::string_view mark_word(MarkKind kind) {
    switch (kind) {
    case MarkKind::source:
        return "hmark";
    case MarkKind::destination:
        return "dhmark";
    case MarkKind::pair:
        return "sdhmark";
    case MarkKind::connection:
        break;
    }
    return "connmark";
}

std::optional<MarkHow> mark_how(std::string_view word) {
    for (const Words& row : how_words)
        if (row.word == word) return row.how;
    return std::nullopt;
}

std::uint32_t apply_mark_how(MarkHow how, std::uint32_t old, std::uint32_t operand) {
    switch (how) {
    case MarkHow::set:
    case MarkHow::restore:
        return operand;
    case MarkHow::add:
        return old + operand;
    case MarkHow::sub:
        return old - operand;
    case MarkHow::mult:
        return old * operand;
    case MarkHow::div:
        return operand == 0 ? old : old / operand;
    case MarkHow::inc:
        return old + 1;
    case MarkHow::dec:
        return old - 1;
    case MarkHow::bit_and:
        return old & operand;
    case MarkHow::bit_or:
        return old | operand;
    case MarkHow::bit_xor:
        return old ^ operand;
    case MarkHow::bit_not:
        return ~old;
    case MarkHow::save:
        break;
    }
    return old;
}

bool MarkTest::holds(const Mark& mark) const {
    if (mark.status != (expired ? MarkStatus::expired : MarkStatus::valid)) return false;
    if (!any_value && (mark.value < value_from || mark.value > value_to)) return false;
    constexpr std::int64_t second = 1'000'000'000;
    switch (age_op) {
    case AgeOp::null:
        break;
    case AgeOp::eq:
        return mark.age_ns / second == age_ns / second;
    case AgeOp::lt:
        return mark.age_ns < age_ns;
    case AgeOp::gt:
        return mark.age_ns > age_ns;
    case AgeOp::bw:
        return mark.age_ns >= age_ns && mark.age_ns <= age_to_ns;
    }
    return true;
}

class MarkTable::Parts {
  public:
    explicit Parts(const TableSetup& setup) : table(setup) {}
    ShardedTable<MarkEntry> table;
    std::atomic<std::uint64_t> refused{0};
};

MarkTable::MarkTable(const TableSetup& setup)
    : parts_(std::make_unique<Parts>(setup)), key_(setup.key),
      source_bits_(setup.ipv6_source_bits) {
}
MarkTable::~MarkTable() = default;

MarkKey MarkTable::source(std::uint8_t id, const IpAddress& source) const {
    return make_key(key_, MarkKind::source, id, source_of(source, source_bits_).bytes());
}

MarkKey MarkTable::destination(std::uint8_t id, const IpAddress& destination) const {
    return make_key(key_, MarkKind::destination, id, destination.bytes());
}

MarkKey MarkTable::pair(std::uint8_t id, const IpAddress& source,
                        const IpAddress& destination) const {
    KeyText text;
    text.put(source_of(source, source_bits_).bytes());
    text.put(destination.bytes());
    return make_key(key_, MarkKind::pair, id, text.bytes());
}

MarkKey MarkTable::connection(std::uint8_t id, std::uint8_t protocol, const IpAddress& a,
                              std::uint16_t a_port, const IpAddress& b,
                              std::uint16_t b_port) const {
    const int order = std::memcmp(a.raw.data(), b.raw.data(), a.raw.size());
    const bool a_first = order < 0 || (order == 0 && a_port <= b_port);
    KeyText text;
    text.put((a_first ? a : b).bytes());
    text.put((a_first ? b : a).bytes());
    text.put(a_first ? a_port : b_port);
    text.put(a_first ? b_port : a_port);
    text.put_byte(protocol);
    return make_key(key_, MarkKind::connection, id, text.bytes());
}

Mark MarkTable::find(const MarkKey& key, std::int64_t now_ns) const {
    auto& part = parts_->table.part_of(key.hash);
    const auto held = parts_->table.lock(part);
    const MarkEntry* entry =
        part.find(key.hash, [&](const MarkEntry& found) { return found.is(key); });
    return entry == nullptr ? Mark{} : entry->mark(now_ns);
}

std::uint32_t MarkTable::write(const MarkKey& key, MarkHow how, std::uint32_t operand,
                               std::int64_t lifetime_ns, std::int64_t now_ns, bool* written) {
    auto& part = parts_->table.part_of(key.hash);
    const auto held = parts_->table.lock(part);
    if (written != nullptr) *written = true;
    MarkEntry* entry = part.find(key.hash, [&](const MarkEntry& found) { return found.is(key); });
    const Mark old = entry == nullptr ? Mark{} : entry->mark(now_ns);
    const std::uint32_t old_value = old.status == MarkStatus::valid ? old.value : 0;
    if (how == MarkHow::save) return old_value;
    if (entry == nullptr)
        entry = part.make(
            key.hash, [&](const MarkEntry& other) { return other.forgotten(now_ns); },
            [&](const MarkEntry& other) { return other.worth(now_ns); }, [](const MarkEntry&) {});
    const std::uint32_t value = apply_mark_how(how, old_value, operand);
    if (entry == nullptr) {
        parts_->refused.fetch_add(1, std::memory_order_relaxed);
        if (written != nullptr) *written = false;
        return value;
    }
    entry->data = key.data;
    entry->kind = key.kind;
    entry->id = key.id;
    entry->length = key.length;
    entry->value = value;
    entry->written_ns = now_ns;
    entry->lifetime_ns = std::max<std::int64_t>(lifetime_ns, 0);
    return value;
}

bool MarkTable::erase(const MarkKey& key) {
    auto& part = parts_->table.part_of(key.hash);
    const auto held = parts_->table.lock(part);
    return part.erase(key.hash, [&](const MarkEntry& found) { return found.is(key); });
}

[[gnu::cold]] std::uint64_t MarkTable::scan(std::uint64_t cursor, std::int64_t now_ns,
                                            const std::function<void(const Listed&)>& see) const {
    return parts_->table.scan(cursor, [&](const MarkEntry& entry) {
        const Listed item = listed(entry, now_ns);
        if (item.mark.status != MarkStatus::none) see(item);
    });
}

void MarkTable::set_limit(std::size_t entries) {
    parts_->table.set_limit(entries);
}

TableCounts MarkTable::counts() const {
    return parts_->table.counts();
}

std::uint64_t MarkTable::refused() const {
    return parts_->refused.load(std::memory_order_relaxed);
}

} // namespace nfqws2::rules
