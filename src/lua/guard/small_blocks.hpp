// Small blocks that a Lua heap has given back, kept for the next that it wants. The table of a
// packet is two dozens of them, which live until the collector comes by. LuaJIT's allocator is made
// to waste nothing and spends a hundred instructions on each that comes or goes; this spends ten.
// A kept block serves a request of exactly its size, so nothing needs to be known of the allocator
// below.
#pragma once

#include "nfqws2/lua/lua.hpp"

#include <array>
#include <cstddef>
#include <new>

namespace nfqws2::lua {

class SmallBlocks {
  public:
    // At most `most` bytes are kept.
    SmallBlocks(lua_Alloc below, void* data, std::size_t most)
        : below_(below), data_(data), most_(most) {}

    // As a lua_Alloc.
    void* allocate(void* block, std::size_t old_size, std::size_t size) {
        if (block == nullptr) { // the old size is something else then
            if (void* kept = take(size)) return kept;
        } else if (size == 0 && keep(block, old_size)) {
            return nullptr;
        }
        return below_(data_, block, old_size, size);
    }

    std::size_t kept_bytes() const { return bytes_; }
    void give_back() {
        for (std::size_t place = 0; place < first_.size(); place++)
            while (void* block = take(place * step))
                below_(data_, block, place * step, 0);
    }
    lua_Alloc below() const { return below_; }
    void* data() const { return data_; }

  private:
    static constexpr std::size_t step = 8, largest = 768; // the keys of 32 fields
    struct Block {
        Block* next;
    };
    static_assert(sizeof(Block) <= step);

    static bool fits(std::size_t size) { return size % step == 0 && size <= largest; }

    void* take(std::size_t size) {
        if (!fits(size)) return nullptr;
        Block*& first = first_[size / step];
        Block* block = first;
        if (block == nullptr) return nullptr;
        first = block->next;
        bytes_ -= size;
        return block;
    }
    bool keep(void* block, std::size_t size) {
        if (!fits(size) || size == 0 || size > most_) return false;
        make_room(size);
        Block*& first = first_[size / step];
        first = new (block) Block{first};
        bytes_ += size;
        return true;
    }

    // In turn from all sizes, so that those nobody wants any more do not hold the place for ever.
    void make_room(std::size_t size) {
        while (bytes_ + size > most_) {
            next_ = next_ + 1 == first_.size() ? 0 : next_ + 1;
            if (void* block = take(next_ * step)) below_(data_, block, next_ * step, 0);
        }
    }

    const lua_Alloc below_;
    void* const data_;
    const std::size_t most_;
    std::size_t bytes_ = 0, next_ = 0;
    std::array<Block*, largest / step + 1> first_{}; // by size
};

} // namespace nfqws2::lua
