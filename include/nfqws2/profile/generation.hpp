// The profiles that one reading of the options gave. A reload makes the next generation; flows
// refer to a profile by its id, so that what a flow keeps never means a profile of another
// generation.
#pragma once

#include "nfqws2/profile/profile.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace nfqws2::profile {

struct Generation {
    // Ids end here: texts of profiles stand in Lua tables at twice the id.
    static constexpr std::uint32_t last_id = 1U << 29;

    std::vector<std::unique_ptr<Profile>> profiles; // 1, 2, ..., 0
    std::uint32_t first_id = 0;                     // of profile 0; the others follow by number
    std::uint32_t first_id_before = 0;              // of the generation that this one replaced
    std::vector<bool> as_before; // by number: runs the same instances as that number did there

    std::uint32_t end_id() const { return first_id + static_cast<std::uint32_t>(profiles.size()); }
    bool has(std::uint32_t id) const { return id - first_id < profiles.size(); }
    const Profile& by_id(std::uint32_t id) const {
        return id == first_id ? *profiles.back() : *profiles[id - first_id - 1];
    }
    // Was `id`, of the generation before, the same but for its filters?
    bool continues(std::uint32_t id, std::uint32_t number) const {
        return number < as_before.size() && as_before[number] && id == first_id_before + number;
    }
};
using GenerationPtr = std::shared_ptr<const Generation>;

// `profiles` in search order without profile 0, which is appended here.
std::shared_ptr<Generation> make_generation(std::vector<std::unique_ptr<Profile>> profiles,
                                            std::uint32_t first_id = 0);
// What replaces `before`; nullptr if there are no ids left.
std::shared_ptr<Generation> next_generation(std::vector<std::unique_ptr<Profile>> profiles,
                                            const Generation& before);

// The same name, cookie and instances, whatever the filters.
bool runs_the_same(const Profile& a, const Profile& b);
bool same_instance(const LuaInstance& a, const LuaInstance& b);

} // namespace nfqws2::profile
