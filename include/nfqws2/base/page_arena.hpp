// Numbered blocks of 64 KiB straight from the kernel: unlike heap memory they are really given
// back, and the address of a byte leads to the start of its block. The first 32 blocks are mapped
// one by one, so that a small table stays small; each further 32 are one mapping. Huge pages are
// refused: they make access to a million flows some 10 % faster, but the kernel may take
// milliseconds to clear one, and the packet that meets it waits (flow_bench, known_flow and
// growth).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nfqws2 {

class PageArena {
  public:
    static constexpr std::size_t block_size = 65536;

    PageArena() = default;
    ~PageArena();
    PageArena(const PageArena&) = delete;
    PageArena& operator=(const PageArena&) = delete;

    // The smallest number that is not in use.
    std::uint32_t lowest_free();
    // Makes a block usable; its content is undefined. False when memory is short.
    bool acquire(std::uint32_t number);
    void release(std::uint32_t number);

    std::byte* at(std::uint32_t number) const { return blocks_[number]; }
    std::size_t in_use() const { return in_use_; }

    static std::byte* start_of(const void* p) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr)
        return reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(p) &
                                            ~std::uintptr_t{block_size - 1});
    }

  private:
    static constexpr std::uint32_t per_region = 32;
    static constexpr std::size_t region_size = per_region * block_size;

    struct Region {
        std::byte* start = nullptr;
        std::uint32_t used = 0; // bit per block
    };
    std::byte* place(std::uint32_t number);

    std::vector<std::byte*> blocks_; // by number; nullptr when not in use
    std::vector<Region> regions_;    // by number / per_region; the first has no mapping of its own
    std::size_t first_open_ = 0;     // no region before this one has a free block
    std::size_t in_use_ = 0;
};

} // namespace nfqws2
