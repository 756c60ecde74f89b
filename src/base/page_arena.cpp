#include "nfqws2/base/page_arena.hpp"

#include "nfqws2/base/poison.hpp"

#include <sys/mman.h>

#include <bit>

namespace nfqws2 {

namespace {

constexpr std::uint32_t all_used = 0xFFFFFFFF;

std::byte* map_pages(std::size_t size) {
    void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? nullptr : static_cast<std::byte*>(p);
}

// Unmapping can fail when it would split a mapping beyond the kernel's limit; then only the memory
// behind the addresses is given back.
void unmap(std::byte* p, std::size_t size) {
    unpoison(p, size);
    if (munmap(p, size) != 0) madvise(p, size, MADV_DONTNEED);
}

// A mapping whose address is a multiple of its size.
std::byte* map_aligned(std::size_t size) {
    const auto excess = [size](const std::byte* p) {
        return static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(p) & (size - 1));
    };
    // The kernel places one mapping next to the other, so the first try is aligned as a rule.
    std::byte* p = map_pages(size);
    if (p == nullptr || excess(p) == 0) return p;
    munmap(p, size);
    p = map_pages(2 * size);
    if (p == nullptr) return nullptr;
    const std::size_t before = (size - excess(p)) % size;
    if (before != 0) munmap(p, before);
    munmap(p + before + size, size - before);
    return p + before;
}

} // namespace

PageArena::~PageArena() {
    for (std::uint32_t i = 0; i < per_region && i < blocks_.size(); i++)
        if (blocks_[i] != nullptr) unmap(blocks_[i], block_size);
    for (const Region& region : regions_)
        if (region.start != nullptr) unmap(region.start, region_size);
}

std::uint32_t PageArena::lowest_free() {
    while (first_open_ < regions_.size() && regions_[first_open_].used == all_used)
        first_open_++;
    const auto first = static_cast<std::uint32_t>(first_open_) * per_region;
    if (first_open_ == regions_.size()) return first;
    return first + static_cast<std::uint32_t>(std::countr_one(regions_[first_open_].used));
}

std::byte* PageArena::place(std::uint32_t number) {
    if (number < per_region) return map_aligned(block_size);
    const std::uint32_t index = number / per_region;
    Region& region = regions_[index];
    if (region.start == nullptr) {
        region.start = map_aligned(region_size);
        if (region.start == nullptr) return nullptr;
#ifdef MADV_NOHUGEPAGE
        madvise(region.start, region_size, MADV_NOHUGEPAGE);
#endif
    }
    return region.start + number % per_region * block_size;
}

bool PageArena::acquire(std::uint32_t number) {
    const std::uint32_t region = number / per_region;
    if (regions_.size() <= region) regions_.resize(region + 1);
    if (blocks_.size() <= number) blocks_.resize(number + 1);
    std::byte* block = place(number);
    if (block == nullptr) return false;
    blocks_[number] = block;
    regions_[region].used |= 1U << number % per_region;
    in_use_++;
    return true;
}

void PageArena::release(std::uint32_t number) {
    std::byte* const block = blocks_[number];
    blocks_[number] = nullptr;
    in_use_--;
    const std::uint32_t index = number / per_region;
    Region& region = regions_[index];
    region.used &= ~(1U << number % per_region);
    if (index < first_open_) first_open_ = index;
    if (index == 0) {
        unmap(block, block_size);
    } else if (region.used == 0) {
        unmap(region.start, region_size);
        region.start = nullptr;
    } else {
        unpoison(block, block_size);
    }
}

} // namespace nfqws2
