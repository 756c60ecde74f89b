#include "nfqws2/profile/generation.hpp"

#include <algorithm>
#include <utility>

namespace nfqws2::profile {

std::shared_ptr<Generation> make_generation(std::vector<std::unique_ptr<Profile>> profiles,
                                            std::uint32_t first_id) {
    auto last = std::make_unique<Profile>();
    last->profile_name = "no_action";
    profiles.push_back(std::move(last));
    auto generation = std::make_shared<Generation>();
    generation->first_id = first_id;
    for (const auto& profile : profiles)
        profile->id = first_id + profile->number;
    generation->profiles = std::move(profiles);
    return generation;
}

std::shared_ptr<Generation> next_generation(std::vector<std::unique_ptr<Profile>> profiles,
                                            const Generation& before) {
    if (before.end_id() > Generation::last_id - profiles.size() - 1) return nullptr;
    auto next = make_generation(std::move(profiles), before.end_id());
    next->first_id_before = before.first_id;
    next->as_before.resize(next->profiles.size());
    for (const auto& profile : next->profiles) {
        const std::uint32_t id = before.first_id + profile->number;
        next->as_before[profile->number] =
            before.has(id) && runs_the_same(*profile, before.by_id(id));
    }
    return next;
}

bool same_instance(const LuaInstance& a, const LuaInstance& b) {
    return a.name == b.name && a.func == b.func && a.args == b.args && a.in_range == b.in_range &&
           a.out_range == b.out_range && a.payload == b.payload;
}

bool runs_the_same(const Profile& a, const Profile& b) {
    return a.profile_name == b.profile_name && a.cookie == b.cookie &&
           std::ranges::equal(a.instances, b.instances, same_instance);
}

} // namespace nfqws2::profile
