// Intrusive hash table that grows and shrinks by a few buckets per insertion or removal (linear
// hashing, Litwin 1980), so that no packet ever pays for a rehash of the whole table. It has two to
// four buckets per node: most searches look at one node, and a bucket is only four bytes. It knows
// nodes by 32-bit index only; NodeAt turns an index into a node with the members `hash` and
// `chain`.
#pragma once

#include "nfqws2/base/page_arena.hpp"

#include <algorithm>
#include <cstdint>
#include <new>

namespace nfqws2 {

template <typename NodeAt> class LinearHash {
  public:
    static constexpr std::uint32_t not_found = 0xFFFFFFFF;

    explicit LinearHash(NodeAt at) : at_(at) {
        if (!segments_.acquire(0)) throw std::bad_alloc();
        std::fill_n(&cell(0), min_buckets, 0U);
    }

    // First node of that hash for which match(index) is true.
    template <typename Match> std::uint32_t find(std::uint32_t hash, Match match) const {
        for (std::uint32_t link = cell(bucket_of(hash)); link != 0;) {
            const std::uint32_t index = link - 1;
            at_.prefetch(index);
            const auto& node = at_(index);
            if (node.hash == hash && match(index)) return index;
            link = node.chain;
        }
        return not_found;
    }

    void insert(std::uint32_t index) {
        push(bucket_of(at_(index).hash), index);
        size_++;
        for (int i = 0; i < 2 && 2 * size_ > buckets_; i++)
            split_one();
    }

    void erase(std::uint32_t index) {
        std::uint32_t* link = &cell(bucket_of(at_(index).hash));
        while (*link != index + 1)
            link = &at_(*link - 1).chain;
        *link = at_(index).chain;
        size_--;
        for (int i = 0; i < 4 && buckets_ > min_buckets && 4 * size_ < buckets_; i++)
            merge_one();
    }

    template <typename Visit> void for_each(Visit visit) const {
        for (std::uint32_t b = 0; b < buckets_; b++)
            for (std::uint32_t link = cell(b); link != 0; link = at_(link - 1).chain)
                visit(link - 1);
    }

    // A part of a walk through all nodes, between whose parts the table may change: visits a few
    // and returns where to go on, 0 at the end (and at the begin). The cursor counts with its bits
    // reversed, so that what a growing or shrinking table moves stays on the same side of it: a
    // node that is there all the time is visited, twice only if the table shrank to half.
    template <typename Visit> std::uint32_t scan(std::uint32_t cursor, Visit visit) const {
        const std::uint32_t first = cursor & (base_ - 1);
        for (std::uint32_t bucket = first; bucket < buckets_; bucket += base_)
            for (std::uint32_t link = cell(bucket); link != 0; link = at_(link - 1).chain)
                visit(link - 1);
        return reversed(reversed(first | ~(base_ - 1)) + 1);
    }

    std::size_t size() const { return size_; }
    std::size_t buckets() const { return buckets_; }

  private:
    static constexpr std::uint32_t min_buckets = 1024;
    static constexpr unsigned segment_bits = 14;
    static constexpr std::uint32_t per_segment = 1U << segment_bits;
    static_assert(per_segment * sizeof(std::uint32_t) == PageArena::block_size);

    std::uint32_t& cell(std::uint32_t bucket) const {
        auto* cells = reinterpret_cast<std::uint32_t*>(segments_.at(bucket >> segment_bits));
        return cells[bucket & (per_segment - 1)];
    }
    static constexpr std::uint32_t reversed(std::uint32_t v) {
        v = (v >> 1 & 0x55555555U) | (v & 0x55555555U) << 1;
        v = (v >> 2 & 0x33333333U) | (v & 0x33333333U) << 2;
        v = (v >> 4 & 0x0F0F0F0FU) | (v & 0x0F0F0F0FU) << 4;
        v = (v >> 8 & 0x00FF00FFU) | (v & 0x00FF00FFU) << 8;
        return v >> 16 | v << 16;
    }
    std::uint32_t bucket_of(std::uint32_t hash) const {
        const std::uint32_t b = hash & (2 * base_ - 1);
        return b < buckets_ ? b : b & (base_ - 1);
    }
    void push(std::uint32_t bucket, std::uint32_t index) {
        std::uint32_t& head = cell(bucket);
        at_(index).chain = head;
        head = index + 1;
    }
    // Moves half of the bucket at the split position to a new last bucket.
    void split_one() {
        if (buckets_ >= 1U << 30) return;
        if (buckets_ % per_segment == 0 && !segments_.acquire(buckets_ >> segment_bits)) return;
        cell(buckets_) = 0;
        const std::uint32_t source = buckets_ - base_;
        // Splits go through the table in order: the nodes of a later one are on their way by then.
        const std::uint32_t later = cell((source + 4) & (base_ - 1));
        if (later != 0) at_.prefetch(later - 1);
        std::uint32_t link = cell(source);
        cell(source) = 0;
        if (++buckets_ == 2 * base_) base_ *= 2;
        while (link != 0) {
            auto& node = at_(link - 1);
            const std::uint32_t next = node.chain;
            push(bucket_of(node.hash), link - 1);
            link = next;
        }
    }

    // The inverse: the last bucket's chain goes back to the bucket it was split from.
    void merge_one() {
        if (buckets_ == base_) base_ /= 2;
        buckets_--;
        std::uint32_t link = cell(buckets_);
        cell(buckets_) = 0;
        while (link != 0) {
            const std::uint32_t next = at_(link - 1).chain;
            push(buckets_ - base_, link - 1);
            link = next;
        }
        if (buckets_ % per_segment == 0) segments_.release(buckets_ >> segment_bits);
    }

    NodeAt at_;
    PageArena segments_;
    std::uint32_t base_ = min_buckets; // largest power of two <= buckets_
    std::uint32_t buckets_ = min_buckets;
    std::size_t size_ = 0;
};

} // namespace nfqws2
