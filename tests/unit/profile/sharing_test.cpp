// Lists and the automatic list in the hands of several threads. What a sanitizer sees here matters
// as much as the results.
#include "nfqws2/profile/auto_hosts.hpp"

#include "profile_testing.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

namespace nfqws2::profile {
namespace {

using testing::TempDir;
using testing::World;

constexpr unsigned threads = 4;

// Runs `body(thread)` in each of several threads.
template <typename Body> void in_threads(const Body& body) {
    std::vector<std::thread> running;
    for (unsigned i = 0; i < threads; i++)
        running.emplace_back([&body, i] { body(i); });
    for (std::thread& thread : running)
        thread.join();
}

std::string many_hosts(const std::string& last) {
    std::string text;
    for (int i = 0; i < 5'000; i++)
        text += "host" + std::to_string(i) + ".com\n";
    return text + last + "\n";
}

class Sharing : public ::testing::Test {
  protected:
    void SetUp() override {
        ::testing::internal::CaptureStdout();
        ::testing::internal::CaptureStderr();
    }
    void TearDown() override {
        ::testing::internal::GetCapturedStdout();
        ::testing::internal::GetCapturedStderr();
    }
    void share(std::vector<std::string> options) {
        world = std::make_unique<World>(options);
        world->lists.share(threads);
        for (unsigned i = 0; i < threads; i++)
            sets.push_back(std::make_unique<ProfileSet>(*world->profiles, i));
    }
    bool listed(unsigned thread, std::string_view host) const {
        return sets[thread]->check_hosts(sets[thread]->by_number(1), host, false).positive;
    }
    TempDir dir;
    std::unique_ptr<World> world;
    std::vector<std::unique_ptr<ProfileSet>> sets;
};

TEST_F(Sharing, ProfilesAreTheSame) {
    share({"--filter-tcp=80", "--new", "--filter-udp=1"});
    for (const auto& set : sets)
        for (const std::uint32_t n : {1U, 2U, 0U})
            EXPECT_EQ(&set->by_number(n), &world->profiles->by_number(n));
}

TEST_F(Sharing, LookUpsGoOnWhileAListIsReplaced) {
    share({"--hostlist=" + dir.write("hosts", many_hosts("first.com"))});
    std::atomic<bool> done{false};
    std::atomic<unsigned> wrong{0};
    in_threads([&](unsigned thread) {
        if (thread != 0) {
            while (!done)
                if (!listed(thread, "host4999.com") || listed(thread, "other.com")) wrong++;
            return;
        }
        for (int i = 0; i < 20; i++) {
            dir.write("hosts", many_hosts("last" + std::to_string(i) + ".com"));
            world->lists.request_reload();
            world->lists.wait_for_loads();
        }
        done = true;
    });
    EXPECT_EQ(wrong, 0U);
    for (unsigned i = 0; i < threads; i++)
        EXPECT_TRUE(listed(i, "last19.com") && !listed(i, "first.com"));
}

TEST_F(Sharing, OneThreadAtATimeLooksForChanges) {
    share({"--hostlist=" + dir.write("hosts", "a.com\n")});
    dir.write("hosts", "a.com\nb.com\n");
    world->clock.advance_to(world->clock.boot_ns() + 1'500'000'000);
    in_threads([&](unsigned thread) { listed(thread, "a.com"); });
    world->lists.poll();
    for (unsigned i = 0; i < threads; i++)
        EXPECT_TRUE(listed(i, "b.com"));
}

TEST_F(Sharing, FailuresOfAllThreadsAreCounted) {
    constexpr unsigned each = 5;
    share({"--hostlist-auto=" + dir.file("auto"),
           "--hostlist-auto-fail-threshold=" + std::to_string(threads * each)});
    AutoHosts hosts(*world->profiles, world->lists, world->clock);
    hosts.share();
    const auto fail = [&](const std::string& host) {
        AutoHosts::Event event{};
        event.profile = &world->profiles->by_number(1);
        event.host = host;
        hosts.failure(event);
    };
    in_threads([&](unsigned) {
        for (unsigned i = 0; i < each; i++) {
            for (int host = 0; host < 20; host++)
                fail("site" + std::to_string(host) + ".com");
            hosts.purge();
        }
    });
    std::string lines = dir.read("auto");
    EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 20) << lines;
    for (unsigned i = 0; i < threads; i++)
        for (int host = 0; host < 20; host++)
            EXPECT_TRUE(listed(i, "site" + std::to_string(host) + ".com"));
}

TEST_F(Sharing, AdditionsAreSeenWhileTheyAreMade) {
    share({"--hostlist-auto=" + dir.file("auto")});
    HostList& list = *world->profiles->by_number(1).auto_hosts;
    constexpr int count = 200;
    in_threads([&](unsigned thread) {
        for (int i = 0; i < count; i++) {
            const std::string host =
                "h" + std::to_string(static_cast<int>(thread) * count + i) + ".com";
            EXPECT_TRUE(world->lists.append_host(list, host));
            EXPECT_TRUE(listed(thread, host));
        }
    });
    std::string lines = dir.read("auto");
    EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), count * static_cast<int>(threads));
}

} // namespace
} // namespace nfqws2::profile
