#include "nfqws2/base/output_file.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <unistd.h>
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

// For the rest of the process: so each is a child.
TEST(OutputFile, IsLeftAloneByWhoOnlyLooks) {
    std::string folder = (std::filesystem::temp_directory_path() / "output_file.XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    const std::string there = folder + "/there", missing = folder + "/missing";
    std::ofstream(there) << "kept";
    std::filesystem::create_symlink(missing, folder + "/link");
    const auto look = [&] {
        leave_output_files_alone();
        const OutputFile old = open_output_file(there, O_RDWR | O_APPEND | O_TRUNC);
        if (!old || old.created || write(old.file.get(), " ", 1) != 1) std::exit(1);
        for (const std::string& path : {missing, folder + "/link"}) {
            const OutputFile stand_in = open_output_file(path, O_RDWR | O_APPEND);
            if (!stand_in || stand_in.created || stand_in.path != missing) std::exit(2);
        }
        if (!reopen_output_file(missing, O_WRONLY | O_APPEND | O_CREAT)) std::exit(3);
        if (reopen_output_file(missing, O_WRONLY | O_APPEND)) std::exit(4);
        if (open_output_file(folder + "/none/file", O_RDWR)) std::exit(5);
        std::exit(0);
    };
    EXPECT_EXIT(look(), testing::ExitedWithCode(0), "");
    EXPECT_EQ(std::filesystem::file_size(there), 5U);
    EXPECT_FALSE(std::filesystem::exists(missing));
    std::filesystem::remove_all(folder);
}

} // namespace
} // namespace nfqws2
