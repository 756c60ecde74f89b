// Profiles that replace others while flows keep the ids of the old ones.
#include "nfqws2/profile/profile_builder.hpp"
#include "nfqws2/profile/profile_set.hpp"

#include <gtest/gtest.h>

namespace nfqws2::profile {
namespace {

class Sets {
  public:
    std::vector<std::unique_ptr<Profile>> built(const std::vector<std::string>& functions) {
        ProfileBuilder builder(lists);
        for (std::size_t i = 0; i < functions.size(); i++) {
            if (i != 0) builder.new_profile("");
            builder.lua_desync(functions[i]);
        }
        return builder.finish().profiles;
    }

    VirtualClock clock;
    ListStore lists{clock};
    ProfileSet set{built({"a", "b"}), lists, clock};
};

TEST(Generation, IdsAreNumbersUntilTheFirstReload) {
    const Sets s;
    EXPECT_EQ(s.set.by_number(2).id, 2U);
    EXPECT_EQ(s.set.by_number(0).id, 0U);
    EXPECT_EQ(s.set.in_force(2), &s.set.by_number(2));
    EXPECT_EQ(s.set.in_force(3), nullptr);
}

TEST(Generation, AnIdNeverMeansAnotherProfile) {
    Sets s;
    const Profile* const old = s.set.in_force(1);
    s.set.replace(next_generation(s.built({"a", "c", "d"}), *s.set.generation()));
    EXPECT_EQ(s.set.in_force(1), nullptr);
    EXPECT_EQ(s.set.known(1), old);
    EXPECT_EQ(s.set.by_number(3).id, 6U);
    EXPECT_EQ(s.set.by_number(0).id, 3U);
    EXPECT_EQ(s.set.in_force(6), &s.set.by_number(3));
    EXPECT_TRUE(s.set.has_older());
    s.set.drop_older();
    EXPECT_EQ(s.set.known(1), nullptr);
    EXPECT_FALSE(s.set.has_older());
    for (std::uint32_t id = 0; id < 3; id++)
        EXPECT_EQ(s.set.in_force(id), nullptr);
}

TEST(Generation, AnOlderOneIsInForceForAWhile) {
    Sets s;
    s.set.replace(next_generation(s.built({"c"}), *s.set.generation()));
    {
        const ProfileSet::Older older(s.set, 2);
        EXPECT_EQ(s.set.all().size(), 3U);
        EXPECT_EQ(s.set.in_force(2)->instances[0].func, "b");
        EXPECT_EQ(s.set.generation()->profiles.size(), 2U);
    }
    EXPECT_EQ(s.set.all().size(), 2U);
}

TEST(Generation, CanBeTakenBack) {
    Sets s;
    s.set.take_back();
    s.set.replace(next_generation(s.built({"c"}), *s.set.generation()));
    s.set.take_back();
    EXPECT_EQ(s.set.in_force(2), &s.set.by_number(2));
    EXPECT_EQ(s.set.known(3), nullptr);
    EXPECT_FALSE(s.set.has_older());
}

TEST(Generation, WorkersHaveTheirOwn) {
    Sets s;
    ProfileSet worker(s.set, 1);
    s.set.replace(next_generation(s.built({"c"}), *s.set.generation()));
    EXPECT_EQ(worker.all().size(), 3U);
    worker.replace(s.set.generation());
    EXPECT_EQ(&worker.by_number(1), &s.set.by_number(1));
}

TEST(Generation, ContinuesWhatRunsTheSame) {
    Sets s;
    auto next = next_generation(s.built({"a", "b:x=1"}), *s.set.generation());
    EXPECT_TRUE(next->continues(1, 1));
    EXPECT_FALSE(next->continues(2, 2));
    EXPECT_FALSE(next->continues(2, 1));
    EXPECT_FALSE(next->continues(7, 1));
    EXPECT_FALSE(next->continues(3, 3));
}

TEST(Generation, IdsEnd) {
    Sets s;
    Generation last;
    last.first_id = Generation::last_id - 2;
    EXPECT_EQ(next_generation(s.built({"a", "b"}), last), nullptr);
    EXPECT_NE(next_generation(s.built({"a"}), last), nullptr);
}

} // namespace
} // namespace nfqws2::profile
