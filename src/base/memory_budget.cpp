#include "nfqws2/base/memory_budget.hpp"

#include "nfqws2/base/machine_memory.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>

namespace nfqws2 {

std::size_t MemoryBudget::default_limit() {
    const std::size_t memory = machine_memory();
    return memory == 0 ? 256 * megabyte : std::max(memory / 4, least);
}

bool MemoryBudget::room(std::size_t bytes) const {
    if (limit_ == 0) return true;
    const std::size_t granted = share(Part::lists) + share(Part::blobs) + share(Part::stores);
    const std::size_t limit = std::max(limit_ - std::min(granted, limit_), least_beside_others);
    const std::size_t taken = share(Part::flows) + share(Part::held) + share(Part::messages) +
                              share(Part::lua) + share(Part::sends) + share(Part::rules);
    return taken <= limit && bytes <= limit - taken;
}

std::string MemoryBudget::report() const {
    const auto kb = [&](Part part) { return (share(part) + 1023) / 1024; };
    const std::string bound = limit_ == 0 ? "no limit" : format("of %zu MB", limit_ / megabyte);
    const std::string rules =
        share(Part::rules) == 0 ? std::string() : format(", rules %zu KB", kb(Part::rules));
    return format("memory %s: flows %zu KB, held packets %zu KB, messages %zu KB, Lua %zu KB, "
                  "send queues %zu KB, lists %zu KB, blobs %zu KB%s",
                  bound.c_str(), kb(Part::flows), kb(Part::held), kb(Part::messages), kb(Part::lua),
                  kb(Part::sends), kb(Part::lists), kb(Part::blobs), rules.c_str());
}

} // namespace nfqws2
