#include "nfqws2/base/output_file.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace nfqws2 {
namespace {

// Daemons that share an automatic list or a log start together.
TEST(OutputFile, IsMadeByOneOfManyAndOpenedByAll) {
    std::string folder = (std::filesystem::temp_directory_path() / "output_file.XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    for (int round = 0; round < 200; round++) {
        const std::string path = folder + "/" + std::to_string(round);
        std::atomic<int> waiting{4}, created{0}, failed{0};
        std::vector<std::thread> daemons;
        daemons.reserve(4);
        for (int i = 0; i < 4; i++)
            daemons.emplace_back([&] {
                waiting--;
                while (waiting > 0) {
                }
                const OutputFile file = open_output_file(path, O_WRONLY | O_APPEND);
                created += file.created;
                failed += !file.file;
            });
        for (std::thread& daemon : daemons)
            daemon.join();
        ASSERT_EQ(failed, 0) << round;
        ASSERT_EQ(created, 1) << round;
    }
    std::filesystem::remove_all(folder);
}

} // namespace
} // namespace nfqws2
