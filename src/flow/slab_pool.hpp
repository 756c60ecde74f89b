// Memory for millions of equal records. Blocks have a stable address and a 32-bit index; slabs that
// become empty go back to the kernel (the lowest one is kept against thrashing). The lowest slab
// with room is filled first, so that a shrinking population drains the upper ones.
#pragma once

#include "nfqws2/base/page_arena.hpp"

#include <cstdint>
#include <vector>

namespace nfqws2::flow {

class SlabPool {
  public:
    static constexpr std::uint32_t no_index = 0xFFFFFFFF;
    // The lower bits of an index: the place within its slab.
    static constexpr unsigned slot_bits = 12;
    static constexpr std::uint32_t slot_mask = (1U << slot_bits) - 1;

    // `owner` is what owner_of() finds again from a block's address.
    explicit SlabPool(std::size_t block_size, void* owner = nullptr);
    SlabPool(const SlabPool&) = delete;
    SlabPool& operator=(const SlabPool&) = delete;

    void* allocate(); // uninitialised; nullptr when memory is short
    static void release(void* block);

    void* at(std::uint32_t index) const {
        return slabs_.at(index >> slot_bits) + header_size + (index & slot_mask) * block_size_;
    }
    static std::uint32_t index_of(const void* block);
    static void* owner_of(const void* block) { return header_of(block).pool->owner_; }

    std::size_t used() const { return used_; }
    std::size_t used_bytes() const { return used_ * block_size_; }
    std::size_t mapped_slabs() const { return slabs_.in_use(); }
    std::size_t blocks_per_slab() const { return per_slab_; }

  private:
    static constexpr std::size_t header_size = 64;
    static constexpr std::uint32_t none = 0xFFFFFFFF;

    struct Header {
        SlabPool* pool;
        std::uint32_t number;
        std::uint16_t used;
        std::uint16_t touched; // blocks from here on were never used: their pages stay untouched
        std::uint16_t free;    // first freed block + 1; each holds the next one
    };
    static Header& header_of(const void* block) {
        return *reinterpret_cast<Header*>(PageArena::start_of(block));
    }
    static std::uint32_t slot_of(const void* block, std::size_t block_size);

    bool add_slab();
    void drop_slab(std::uint32_t number);
    void give_back(void* block, Header& header);
    std::uint32_t slab_with_room();
    void set_room(std::uint32_t number, bool room);

    std::size_t block_size_, per_slab_;
    void* owner_;
    PageArena slabs_;
    std::vector<std::uint64_t> room_; // bit per slab
    std::size_t first_room_ = 0;      // no word before this one has a bit
    std::uint32_t spare_ = none;      // the empty slab that is kept
    std::size_t used_ = 0;
};

} // namespace nfqws2::flow
