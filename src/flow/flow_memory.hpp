// The slab pools of one connection table: tracks, and what hangs off them. A track finds it by its
// own address, so that no track has to store a pointer to it.
#pragma once

#include "nfqws2/flow/track.hpp"
#include "slab_pool.hpp"

#include <array>

namespace nfqws2::flow {

struct FlowMemory {
    SlabPool tracks{sizeof(Track), this};
    SlabPool extensions{sizeof(TrackExtension)};
    std::array<SlabPool, 4> names{SlabPool(24), SlabPool(40), SlabPool(96),
                                  SlabPool(sizeof(detail::HostName))};

    FlowMemory() = default;
    FlowMemory(const FlowMemory&) = delete;
    FlowMemory& operator=(const FlowMemory&) = delete;

    static FlowMemory& of(const Track* track) {
        return *static_cast<FlowMemory*>(SlabPool::owner_of(track));
    }
    std::size_t bytes() const { // of what is in use
        std::size_t sum = tracks.used_bytes() + extensions.used_bytes();
        for (const SlabPool& pool : names)
            sum += pool.used_bytes();
        return sum;
    }
    void* allocate_name(std::size_t size) {
        if (size <= 24) return names[0].allocate();
        if (size <= 40) return names[1].allocate();
        return names[size <= 96 ? 2 : 3].allocate();
    }
};

} // namespace nfqws2::flow
