#include "ct_table.hpp"

#include "flow_memory.hpp"
#include "nfqws2/flow/ct_sim.hpp"

#include <cstring>
#include <utility>

namespace nfqws2::flow::detail {

CtEntry* CtPages::find(const Track& track) const {
    const std::uint32_t index = SlabPool::index_of(&track);
    const std::uint32_t slab = index >> SlabPool::slot_bits;
    if (slab >= pages_.size() || pages_[slab] == nullptr) return nullptr;
    CtEntry& entry = pages_[slab]->entries[index & SlabPool::slot_mask];
    return entry.exists ? &entry : nullptr;
}

CtEntry& CtPages::make(const Track& track) {
    const std::uint32_t index = SlabPool::index_of(&track);
    const std::uint32_t slab = index >> SlabPool::slot_bits;
    if (slab >= pages_.size()) pages_.resize(slab + 1);
    std::unique_ptr<Page>& page = pages_[slab];
    if (page == nullptr) {
        auto made = std::make_unique<Page>(); // whole or not at all
        made->entries.resize(FlowMemory::of(&track).tracks.blocks_per_slab());
        page = std::move(made);
        page_bytes_ = page->entries.size() * sizeof(CtEntry);
        pages_in_use_++;
    }
    page->used++;
    used_++;
    CtEntry& entry = page->entries[index & SlabPool::slot_mask];
    entry = CtEntry();
    entry.exists = true;
    return entry;
}

void CtPages::drop(const Track& track) {
    CtEntry* entry = find(track);
    if (entry == nullptr) return;
    entry->exists = false;
    used_--;
    std::unique_ptr<Page>& page = pages_[SlabPool::index_of(&track) >> SlabPool::slot_bits];
    if (--page->used != 0) return;
    page.reset();
    pages_in_use_--;
}

packet::CtTuple CtSmallTable::key_of(const packet::CtTuple& tuple) {
    packet::CtTuple key = tuple;
    key.icmp_code = 0;
    if (key.is_icmp()) { // of echo, the side that asks comes first
        const bool answer = key.icmp_type == (key.proto == 1 ? 0 : 129);
        key.icmp_type = 0;
        if (answer) std::swap(key.src, key.dst);
        return key;
    }
    const int order = std::memcmp(key.src.raw.data(), key.dst.raw.data(), 16);
    if (order > 0 || (order == 0 && key.sport > key.dport)) {
        std::swap(key.src, key.dst);
        std::swap(key.sport, key.dport);
    }
    return key;
}

std::size_t CtSmallTable::Hash::operator()(const packet::CtTuple& t) const {
    std::array<std::uint8_t, 40> text{};
    std::memcpy(text.data(), t.src.raw.data(), 16);
    std::memcpy(text.data() + 16, t.dst.raw.data(), 16);
    store_be16(text.data() + 32, t.sport);
    store_be16(text.data() + 34, t.dport);
    store_be16(text.data() + 36, t.icmp_id);
    text[38] = t.proto;
    text[39] = t.src.version;
    return table_hash(key, text);
}

CtSmallTable::Entry* CtSmallTable::find(const packet::CtTuple& tuple) {
    const auto found = by_tuple_.find(key_of(tuple));
    return found == by_tuple_.end() ? nullptr : &*found->second;
}

CtSmallTable::Entry& CtSmallTable::add(const packet::CtTuple& orig) {
    std::list<Entry> made(1);
    Entry& entry = made.front();
    entry.orig = orig;
    entry.exists = true;
    by_tuple_.emplace(key_of(orig), made.begin());
    list_.splice(list_.begin(), made);
    return list_.front();
}

void CtSmallTable::drop(Entry& entry) {
    const auto found = by_tuple_.find(key_of(entry.orig));
    const auto place = found->second;
    by_tuple_.erase(found);
    list_.erase(place);
}

void CtSmallTable::use(Entry& entry) {
    if (&entry == &list_.front()) return;
    list_.splice(list_.begin(), list_, by_tuple_.find(key_of(entry.orig))->second);
}

} // namespace nfqws2::flow::detail
