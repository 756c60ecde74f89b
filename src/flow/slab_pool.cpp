#include "slab_pool.hpp"

#include "nfqws2/base/poison.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace nfqws2::flow {

SlabPool::SlabPool(std::size_t block_size, void* owner)
    : block_size_((std::max<std::size_t>(block_size, 16) + 7) / 8 * 8),
      per_slab_((PageArena::block_size - header_size) / block_size_), owner_(owner) {
    static_assert(sizeof(Header) <= header_size);
}

std::uint32_t SlabPool::slot_of(const void* block, std::size_t block_size) {
    const std::ptrdiff_t distance =
        static_cast<const std::byte*>(block) - PageArena::start_of(block);
    const auto offset = static_cast<std::uint32_t>(distance) - std::uint32_t{header_size};
    return offset / static_cast<std::uint32_t>(block_size);
}

std::uint32_t SlabPool::index_of(const void* block) {
    const Header& header = header_of(block);
    return header.number << slot_bits | slot_of(block, header.pool->block_size_);
}

void SlabPool::set_room(std::uint32_t number, bool room) {
    const std::uint64_t bit = std::uint64_t{1} << (number % 64);
    if (room) {
        room_[number / 64] |= bit;
        first_room_ = std::min<std::size_t>(first_room_, number / 64);
    } else {
        room_[number / 64] &= ~bit;
    }
}

std::uint32_t SlabPool::slab_with_room() {
    for (; first_room_ < room_.size(); first_room_++) {
        if (room_[first_room_] == 0) continue;
        const int bit = std::countr_zero(room_[first_room_]);
        return static_cast<std::uint32_t>(first_room_ * 64) + static_cast<std::uint32_t>(bit);
    }
    return none;
}

bool SlabPool::add_slab() {
    const std::uint32_t number = slabs_.lowest_free();
    if (number >= none >> slot_bits || !slabs_.acquire(number)) return false;
    if (room_.size() <= number / 64) room_.resize(number / 64 + 1);
    ::new (slabs_.at(number)) Header{this, number, 0, 0, 0};
    set_room(number, true);
    return true;
}

void SlabPool::drop_slab(std::uint32_t number) {
    set_room(number, false);
    slabs_.release(number);
}

void* SlabPool::allocate() {
    std::uint32_t number = slab_with_room();
    if (number == none) {
        if (!add_slab()) return nullptr;
        number = slab_with_room();
    }
    if (number == spare_) spare_ = none;
    std::byte* const start = slabs_.at(number);
    Header& header = header_of(start);
    std::uint16_t slot = header.touched;
    std::byte* block = start + header_size;
    if (header.free != 0) {
        slot = static_cast<std::uint16_t>(header.free - 1);
        block += slot * block_size_;
        std::memcpy(&header.free, block, sizeof(header.free));
    } else {
        block += slot * block_size_;
        header.touched++;
    }
    if (++header.used == per_slab_) set_room(number, false);
    used_++;
    unpoison(block, block_size_);
    return block;
}

void SlabPool::release(void* block) {
    Header& header = header_of(block);
    header.pool->give_back(block, header);
}

void SlabPool::give_back(void* block, Header& header) {
    const auto slot = static_cast<std::uint16_t>(slot_of(block, block_size_));
    std::memcpy(block, &header.free, sizeof(header.free));
    header.free = static_cast<std::uint16_t>(slot + 1);
    // The first eight bytes hold the link.
    poison(static_cast<std::byte*>(block) + 8, block_size_ - 8);
    used_--;
    const std::uint32_t number = header.number;
    set_room(number, true);
    if (--header.used != 0 || spare_ == number) return;
    const std::uint32_t surplus = std::max(number, spare_ == none ? number : spare_);
    const bool had_spare = spare_ != none;
    spare_ = had_spare ? std::min(number, spare_) : number;
    if (had_spare) drop_slab(surplus);
}

} // namespace nfqws2::flow
