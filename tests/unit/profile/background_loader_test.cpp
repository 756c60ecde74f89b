#include "profile/background_loader.hpp"

#include "profile_testing.hpp"

namespace nfqws2::profile {
namespace {

using testing::TempDir;

LoadJob job_for(const std::string& path) {
    LoadJob job;
    job.file = std::make_shared<HostListFile>(path);
    return job;
}

TEST(BackgroundLoader, LoadsAndStops) {
    const TempDir dir;
    BackgroundLoader loader;
    EXPECT_FALSE(loader.has_finished());
    EXPECT_FALSE(loader.busy());
    for (int round = 0; round < 3; ++round) { // the thread is started anew each time
        LoadJob a = job_for(dir.write("a", "a.com\n"));
        LoadJob missing = job_for(dir.file("missing"));
        ASSERT_TRUE(loader.submit(a));
        ASSERT_TRUE(loader.submit(missing));
        loader.wait();
        EXPECT_FALSE(loader.busy());
        EXPECT_TRUE(loader.has_finished());
        const std::vector<LoadJob> done = loader.take_finished();
        EXPECT_FALSE(loader.has_finished());
        ASSERT_EQ(done.size(), 2U);
        EXPECT_TRUE(done[0].result.ok);
        EXPECT_EQ(done[0].result.hosts.find("a.com"), HostMatch::plain);
        EXPECT_FALSE(done[1].result.ok);
    }
}

TEST(BackgroundLoader, EndsWithWorkWaiting) {
    const TempDir dir;
    BackgroundLoader loader;
    for (int i = 0; i < 20; ++i) {
        LoadJob job = job_for(dir.write("a", "a.com\n"));
        ASSERT_TRUE(loader.submit(job));
    }
}

TEST(BackgroundLoader, DiscardsLargeContents) {
    BackgroundLoader loader;
    HostTableBuilder builder;
    for (int i = 0; i < 50'000; ++i)
        builder.add(std::to_string(i) + ".com");
    LoadedList old;
    old.hosts = builder.finish();
    ASSERT_GT(old.hosts.memory(), 300'000U);
    loader.discard(std::move(old));
    loader.discard(LoadedList());
    loader.wait();
    EXPECT_FALSE(loader.busy());
    EXPECT_FALSE(loader.has_finished());
}

} // namespace
} // namespace nfqws2::profile
