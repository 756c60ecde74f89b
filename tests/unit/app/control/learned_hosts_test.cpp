#include "control/learned_hosts.hpp"

#include <gtest/gtest.h>

namespace nfqws2::app {
namespace {

store::RecordPointer record(std::string key, store::Fields fields) {
    auto views = store::views_of(fields);
    return std::make_shared<const store::Record>(
        store::Record{std::move(key), store::pack_fields(views), 1'800'000'000});
}

TEST(RecordName, ThreeKinds) {
    const auto host = record_name("web/a.example");
    ASSERT_TRUE(host);
    EXPECT_EQ(host->key, "web");
    EXPECT_EQ(host->host, "a.example");
    EXPECT_FALSE(host->strategy);
    EXPECT_EQ(record_name("web/a.example/12")->strategy, 12U);
    EXPECT_EQ(record_name("web/*/3")->host, "*");
}

TEST(RecordName, OthersAreNone) {
    for (const char* bad : {"", "web", "/a.example", "web/", "web//1", "web/a/x", "web/a/1/2",
                            "web/a/-1", "web/a/65536", "web/a/"})
        EXPECT_FALSE(record_name(bad)) << bad;
}

TEST(LearnedHosts, GathersARecordOfEach) {
    const auto hosts = learned_hosts({
        record("web/b.example/2", {{"ok", 2.0}, {"last_ok", 1'800'000'000.5}}),
        record("web/b.example", {{"cur", 2.0}}),
        record("web/a.example", {{"cur", 1.0}, {"pin", 3.0}}),
        record("web/b.example/1", {{"bad", 1.0}}),
        record("stray", {{"cur", 1.0}}),
        record("udp/b.example", {}),
    });
    ASSERT_EQ(hosts.size(), 3U);
    EXPECT_EQ(hosts[0].key + " " + hosts[0].host, "udp b.example");
    EXPECT_FALSE(hosts[0].current);
    EXPECT_EQ(hosts[1].pin, 3U);
    ASSERT_EQ(hosts[2].strategies.size(), 2U);
    EXPECT_EQ(hosts[2].strategies[0].number, 1U);
    EXPECT_EQ(hosts[2].strategies[0].bad, 1);
    EXPECT_EQ(hosts[2].strategies[1].last_ok, 1'800'000'000U);
}

TEST(LearnedHosts, SpoiltFieldsCountAsNothing) {
    const auto hosts = learned_hosts({
        record("k/h", {{"cur", std::string("two")}, {"pin", -1.0}}),
        record("k/h/1", {{"ok", -5.0}, {"bad", 1e300}, {"last_ok", std::string("never")}}),
        record("k/i", {{"cur", 1e9}}),
    });
    ASSERT_EQ(hosts.size(), 2U);
    EXPECT_FALSE(hosts[0].current || hosts[0].pin || hosts[1].current);
    EXPECT_EQ(hosts[0].strategies[0].ok, 0);
    EXPECT_EQ(hosts[0].strategies[0].bad, 1e15);
    EXPECT_EQ(hosts[0].strategies[0].last_ok, 0U);
}

TEST(LearnedLine, TellsAll) {
    LearnedHost host{"web", "a\"b", 2, std::nullopt, {{2, 1.5, 0, 1'800'000'000, 0}}};
    EXPECT_EQ(
        learned_line(host),
        R"({"learn":{"key":"web","host":"a\"b","strategy":2,"pin":null,"strategies":[{"n":2,"ok":1.5,"bad":0,)"
        R"("last_ok_at":1800000000,"last_bad_at":null}]}})"
        "\n");
}

class LearningsTest : public testing::Test {
  protected:
    void SetUp() override {
        const char* error = nullptr;
        store = stores.open(store_of_learn, &error).value();
        auto profile = std::make_unique<profile::Profile>();
        profile->number = 1;
        add(*profile, "learn", {{"key", "web"}});
        for (const char* n : {"1", "2", "2", "x", "70000"})
            add(*profile, "fake", {{"strategy", n}});
        std::vector<std::unique_ptr<profile::Profile>> profiles;
        profiles.push_back(std::move(profile));
        generation = profile::make_generation(std::move(profiles));
    }
    static void add(profile::Profile& profile, const char* func,
                    std::vector<std::pair<std::string, std::string>> args) {
        profile::LuaInstance one;
        one.func = func;
        one.func_n = static_cast<std::uint32_t>(profile.instances.size()) + 1;
        one.name = func + ("_1_" + std::to_string(one.func_n));
        one.args = std::move(args);
        profile.instances.push_back(std::move(one));
    }
    const profile::LuaInstance& at(std::size_t n) const {
        return generation->profiles[0]->instances[n];
    }

    VirtualClock clock{1'800'000'000LL * 1'000'000'000};
    store::Stores stores{clock, SipKey{1, 2}};
    std::size_t store = 0;
    profile::GenerationPtr generation;
};

TEST_F(LearningsTest, OfAHost) {
    stores.set(store, "web/a.example", {{"cur", 2.0}});
    stores.set(store, "web/a.example/1", {{"bad", 3.0}});
    stores.set(store, "web/a.example/2", {{"ok", 5.0}, {"bad", 1.0}});
    stores.set(store, "other/a.example/2", {{"ok", 50.0}});
    const Learnings learnings(&stores, *generation);
    const auto results = learnings.of_host("a.example");
    ASSERT_TRUE(results);
    EXPECT_EQ(results->current, 2U);
    EXPECT_EQ(results->ok, 5);
    EXPECT_EQ(results->bad, 4);
    EXPECT_FALSE(learnings.of_host("b.example"));
    EXPECT_TRUE(learnings.of_host("a.example.")) << "the same name";
}

TEST_F(LearningsTest, KnowTheLastStrategy) {
    const Learnings learnings(&stores, *generation);
    EXPECT_EQ(learnings.last_strategy("web"), 2U);
    EXPECT_EQ(learnings.last_strategy("other"), 0U);
}

TEST_F(LearningsTest, OfAnInstance) {
    stores.set(store, "web/*/2", {{"ok", 7.0}});
    const Learnings learnings(&stores, *generation);
    const auto sums = learnings.sums(at(0));
    ASSERT_TRUE(sums);
    ASSERT_EQ(sums->size(), 1U);
    EXPECT_EQ(sums->front().number, 2U);
    EXPECT_EQ(sums->front().ok, 7);
    EXPECT_FALSE(learnings.sums(at(1)));
}

TEST_F(LearningsTest, WithoutAStore) {
    const Learnings learnings(nullptr, *generation);
    EXPECT_FALSE(learnings.sums(at(0)));
    EXPECT_FALSE(learnings.of_host("a.example"));
}

TEST(KeyPart, HasNothingThatDivides) {
    EXPECT_EQ(key_part("a/b*c d\n"), "a_b_c_d_");
    EXPECT_EQ(key_part(std::string(109, 'x') + "yz").size(), 110U);
    EXPECT_EQ(key_part(std::string(109, 'x') + "yz").substr(108), "yz");
}

} // namespace
} // namespace nfqws2::app
