// Theory of operation: a record never changes; a write puts another one in its place and at the end
// of the list of writes (an import: at its front). So a reader takes a pointer under the lock and
// decodes it outside, and a copy of everything costs a counter for each record. Whoever writes to
// the disk compares pointers.
#include "nfqws2/store/stores.hpp"
#include "nfqws2/base/sort.hpp"

#include <algorithm>

namespace nfqws2::store {
namespace {

// The node of the list, that of the map, the record's counters and what the heap adds.
constexpr std::size_t around_a_record = 240;

constexpr std::int64_t clock_is_set = 1'700'000'000; // 2023: no clock that was set shows less

bool is_store_name(std::string_view name) {
    const auto good = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    };
    return !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), good);
}

Value* find_field(Fields& fields, std::string_view name) {
    for (auto& [field, value] : fields)
        if (field == name) return &value;
    return nullptr;
}

} // namespace

Stores::Stores(const Clock& clock, const SipKey& key, const Limits& limits)
    : clock_(clock), hash_{key}, limits_(limits) {
    tables_.reserve(max_stores);
}

std::optional<std::size_t> Stores::find_store(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    return number_of(name);
}

std::optional<std::size_t> Stores::number_of(std::string_view name) const {
    for (std::size_t i = 0; i < tables_.size(); i++)
        if (tables_[i].name == name) return i;
    return std::nullopt;
}

std::optional<std::size_t> Stores::open(std::string_view name, const char** error) {
    const std::lock_guard lock(mutex_);
    if (const auto found = number_of(name)) return found;
    *error = !is_store_name(name)           ? "bad name of a store (1 to 32 of a-z 0-9 _ -)"
             : tables_.size() == max_stores ? "there are 16 stores already"
                                            : nullptr;
    if (*error != nullptr) return std::nullopt;
    tables_.push_back({std::string(name), decltype(Table::by_key)(0, hash_)});
    return tables_.size() - 1;
}

std::vector<std::string> Stores::names() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const Table& table : tables_)
        names.push_back(table.name);
    return names;
}

std::int64_t Stores::now() const {
    const std::int64_t time = clock_.unix_s();
    return time >= clock_is_set ? time : std::max(time, newest_.load(std::memory_order_relaxed));
}

// One that has expired is as good as none; it is forgotten when it is written out or gives way.
const Stores::Entry* Stores::lookup(std::size_t store, std::string_view key) const {
    const auto found = tables_[store].by_key.find(key);
    if (found == tables_[store].by_key.end()) return nullptr;
    const Entry& entry = *found->second;
    return entry.record->expired(now()) ? nullptr : &entry;
}

RecordPointer Stores::find(std::size_t store, std::string_view key) const {
    const std::lock_guard lock(mutex_);
    const Entry* entry = lookup(store, key);
    return entry == nullptr ? nullptr : entry->record;
}

std::optional<Fields> Stores::get(std::size_t store, std::string_view key) const {
    const RecordPointer record = find(store, key);
    if (record == nullptr) return std::nullopt;
    return unpack_fields(record->fields);
}

std::optional<std::string_view> Stores::read(std::size_t store, std::string_view key,
                                             Buffer& buffer) const {
    const std::lock_guard lock(mutex_);
    const Entry* entry = lookup(store, key);
    if (entry == nullptr) return std::nullopt;
    const std::string& fields = entry->record->fields;
    return std::string_view(buffer.data(), fields.copy(buffer.data(), buffer.size()));
}

const char* Stores::set(std::size_t store, std::string_view key, const Fields& fields,
                        std::uint32_t ttl) {
    std::vector<FieldView> views = views_of(fields);
    return write(store, key, views, ttl);
}

const char* Stores::write(std::size_t store, std::string_view key, std::span<FieldView> fields,
                          std::uint32_t ttl) {
    const char* error = why_bad_key(key);
    if (error == nullptr) error = why_bad_fields(fields);
    if (error != nullptr) return error;
    Record record{std::string(key), pack_fields(fields), now(), ttl};
    const std::lock_guard lock(mutex_);
    replace(store, std::move(record));
    return nullptr;
}

const char* Stores::merge(std::size_t store, std::string_view key,
                          std::span<const FieldView> fields,
                          std::span<const std::string_view> gone) {
    if (const char* error = why_bad_key(key); error != nullptr) return error;
    const std::lock_guard lock(mutex_);
    const Entry* entry = lookup(store, key);
    Fields merged;
    if (entry != nullptr) merged = unpack_fields(entry->record->fields);
    for (const std::string_view name : gone)
        std::erase_if(merged, [name](const auto& field) { return field.first == name; });
    for (const FieldView& field : fields) {
        Value value = value_of(field);
        if (Value* found = find_field(merged, field.name); found != nullptr)
            *found = std::move(value);
        else
            merged.emplace_back(field.name, std::move(value));
    }
    std::vector<FieldView> views = views_of(merged);
    const char* error = why_bad_fields(views);
    if (error == nullptr)
        replace(store, {std::string(key), pack_fields(views), now(),
                        entry == nullptr ? default_ttl : entry->record->ttl});
    return error;
}

std::optional<double> Stores::add(std::size_t store, std::string_view key, std::string_view field,
                                  double number, const char** error) {
    if ((*error = why_bad_key(key)) != nullptr) return std::nullopt;
    const std::lock_guard lock(mutex_);
    const Entry* entry = lookup(store, key);
    Fields fields;
    if (entry != nullptr) fields = unpack_fields(entry->record->fields);
    Value* value = find_field(fields, field);
    if (value == nullptr) value = &fields.emplace_back(field, 0.0).second;
    double* sum = std::get_if<double>(value);
    if (sum != nullptr) *sum += number;
    std::vector<FieldView> views = views_of(fields);
    *error = sum == nullptr ? "the field is a text" : why_bad_fields(views);
    if (*error != nullptr) return std::nullopt;
    const double result = *sum;
    replace(store, {std::string(key), pack_fields(views), now(),
                    entry == nullptr ? default_ttl : entry->record->ttl});
    return result;
}

void Stores::erase(std::size_t store, std::string_view key) {
    const std::lock_guard lock(mutex_);
    const auto found = tables_[store].by_key.find(key);
    if (found != tables_[store].by_key.end()) remove(found->second);
}

std::size_t Stores::count(std::size_t store) const {
    return records(store).size();
}

std::vector<std::string> Stores::keys(std::size_t store, std::string_view prefix) const {
    std::vector<std::string> keys;
    for (const RecordPointer& record : records(store))
        if (record->key.starts_with(prefix)) keys.push_back(record->key);
    sort_stably(keys);
    return keys;
}

std::vector<RecordPointer> Stores::records(std::size_t store) const {
    const std::lock_guard lock(mutex_);
    const std::int64_t time = now();
    std::vector<RecordPointer> all;
    all.reserve(tables_[store].by_key.size());
    for (const auto& [key, position] : tables_[store].by_key)
        if (!position->record->expired(time)) all.push_back(position->record);
    return all;
}

bool Stores::put(std::size_t store, Record record, const RecordPointer& only_over) {
    return put_over(store, std::move(record), only_over, false) == Insertion::done;
}

Stores::Insertion Stores::insert(std::size_t store, Record record, const RecordPointer& only_over) {
    return put_over(store, std::move(record), only_over, true);
}

Stores::Insertion Stores::put_over(std::size_t store, Record record, const RecordPointer& only_over,
                                   bool only_if_it_fits) {
    const std::lock_guard lock(mutex_);
    // Somebody's clock went wrong; it must not live for ever.
    if (clock_.unix_s() >= clock_is_set) record.written = std::min(record.written, now());
    const Entry* entry = lookup(store, record.key);
    if ((entry == nullptr ? nullptr : entry->record) != only_over) return Insertion::overtaken;
    if (only_if_it_fits && !fits(record, entry)) return Insertion::no_room;
    replace(store, std::move(record),
            only_if_it_fits && entry == nullptr ? Turn::first : Turn::last);
    return Insertion::done;
}

void Stores::forget_expired() {
    const std::lock_guard lock(mutex_);
    const std::int64_t time = now();
    for (auto position = by_write_.begin(); position != by_write_.end();) {
        const auto next = std::next(position);
        if (position->record->expired(time)) remove(position);
        position = next;
    }
}

bool Stores::erase_if(std::size_t store, const RecordPointer& record) {
    const std::lock_guard lock(mutex_);
    const auto found = tables_[store].by_key.find(record->key);
    if (found == tables_[store].by_key.end() || found->second->record != record) return false;
    remove(found->second);
    return true;
}

std::size_t Stores::memory() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
}

void Stores::count_in(MemoryBudget* budget) {
    const std::lock_guard lock(mutex_);
    share_ = budget == nullptr ? nullptr
                               : std::make_unique<MemoryShare>(budget, MemoryBudget::Part::stores);
    told();
}

std::size_t Stores::cost(const Record& record) {
    return around_a_record + record.key.size() + record.fields.size();
}

bool Stores::fits(const Record& record, const Entry* instead_of) const {
    const std::size_t records = by_write_.size() + (instead_of == nullptr ? 1 : 0);
    const std::size_t freed = instead_of == nullptr ? 0 : cost(*instead_of->record);
    return records <= limits_.records && bytes_ - freed + cost(record) <= limits_.bytes;
}

void Stores::replace(std::size_t store, Record record, Turn turn) {
    const auto found = tables_[store].by_key.find(record.key);
    if (found != tables_[store].by_key.end()) remove(found->second);
    bytes_ += cost(record);
    newest_.store(std::max(newest_.load(std::memory_order_relaxed), record.written),
                  std::memory_order_relaxed);
    const Position position =
        by_write_.insert(turn == Turn::last ? by_write_.end() : by_write_.begin(),
                         {std::make_shared<const Record>(std::move(record)), store});
    tables_[store].by_key.emplace(position->record->key, position);
    make_room();
    told();
}

void Stores::remove(Position position) {
    bytes_ -= cost(*position->record);
    tables_[position->store].by_key.erase(position->record->key);
    by_write_.erase(position);
    told();
}

void Stores::make_room() {
    while (by_write_.size() > 1 && (by_write_.size() > limits_.records || bytes_ > limits_.bytes))
        remove(by_write_.begin());
}

void Stores::told() {
    changes_.fetch_add(1, std::memory_order_relaxed);
    if (share_) share_->set(bytes_);
}

} // namespace nfqws2::store
