#include "nfqws2/base/file.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <zlib.h>

namespace nfqws2 {
namespace {

class FileTest : public testing::Test {
  protected:
    void SetUp() override {
        char pattern[] = "/tmp/nfqws2-file-XXXXXX";
        ASSERT_NE(mkdtemp(pattern), nullptr);
        dir_ = std::filesystem::canonical(pattern).string();
    }
    void TearDown() override { std::filesystem::remove_all(dir_); }

    std::string put(const std::string& name, std::string_view content) const {
        const std::string path = dir_ + "/" + name;
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }
    std::string put_gzip(const std::string& name, const std::string& content) const {
        const std::string path = dir_ + "/" + name;
        gzFile gz = gzopen(path.c_str(), "wb");
        gzwrite(gz, content.data(), static_cast<unsigned>(content.size()));
        gzclose(gz);
        return path;
    }

    std::string dir_;
};

TEST_F(FileTest, DescriptorClosesAndMoves) {
    FileDescriptor a(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const int number = a.get();
    ASSERT_GE(number, 0);
    FileDescriptor b(std::move(a));
    EXPECT_EQ(b.get(), number);
    b.reset();
    EXPECT_FALSE(b);
    EXPECT_EQ(fcntl(number, F_GETFD), -1);
    FileDescriptor c(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const int released = c.release();
    EXPECT_FALSE(c);
    EXPECT_EQ(close(released), 0);
}

TEST_F(FileTest, ReadsWholeFiles) {
    EXPECT_EQ(as_text(read_file(put("a", "hello\n")).data), "hello\n");
    EXPECT_TRUE(read_file(put("empty", "")).ok());
    EXPECT_TRUE(read_file(put("empty", "")).data.empty());
    const std::string big(300'000, 'x');
    EXPECT_EQ(as_text(read_file(put("big", big)).data), big);
    const ReadResult proc = read_file("/proc/self/status"); // a file without a size
    EXPECT_TRUE(proc.ok());
    EXPECT_NE(as_text(proc.data).find("Name:"), std::string_view::npos);
}

TEST_F(FileTest, ReportsWhatAndWhy) {
    const ReadResult missing = read_file(dir_ + "/no");
    EXPECT_FALSE(missing.ok());
    EXPECT_EQ(missing.error, dir_ + "/no: No such file or directory");
    EXPECT_EQ(read_file(dir_).error, dir_ + ": Is a directory");
}

TEST_F(FileTest, HonoursTheLimit) {
    const std::string path = put("five", "12345");
    EXPECT_TRUE(read_file(path, 5).ok());
    EXPECT_FALSE(read_file(path, 4).ok());
    EXPECT_FALSE(read_file("/proc/self/status", 10).ok());
    const std::string gz = put_gzip("g", std::string(100'000, 'a'));
    EXPECT_TRUE(read_file_maybe_gzip(gz, 100'000).ok());
    EXPECT_FALSE(read_file_maybe_gzip(gz, 99'999).ok());
}

TEST_F(FileTest, APipeIsNotWaitedForForEver) {
    const std::string path = dir_ + "/pipe";
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    EXPECT_EQ(read_file(path, 100, 1).error, path + ": nothing comes through the pipe for 0 s");
    std::thread writer([&path] {
        const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
        EXPECT_EQ(write(fd, "first\n", 6), 6);
        EXPECT_EQ(write(fd, "last\n", 5), 5);
        close(fd);
    });
    EXPECT_EQ(as_text(read_file(path, 100, 60'000).data), "first\nlast\n");
    writer.join();
    EXPECT_EQ(as_text(read_file(put("a", "hello\n"), 100, 1).data), "hello\n");
    EXPECT_EQ(read_file("/dev/zero", 100, 1).error, "/dev/zero: file is too large");
}

TEST_F(FileTest, InflatesByContentNotByName) {
    const std::string text(200'000, 'z');
    EXPECT_EQ(as_text(read_file_maybe_gzip(put_gzip("plain.txt", text)).data), text);
    EXPECT_EQ(as_text(read_file_maybe_gzip(put("fake.gz", "no gzip")).data), "no gzip");
    EXPECT_TRUE(read_file_maybe_gzip(put_gzip("none", "")).ok());
    EXPECT_TRUE(is_gzip(as_bytes("\x1F\x8B")));
    EXPECT_FALSE(is_gzip(as_bytes("\x1F")));
}

TEST_F(FileTest, ReadsTheFirstMemberOnly) {
    std::vector<std::uint8_t> two = read_file(put_gzip("one", "first")).data;
    const std::vector<std::uint8_t> second = read_file(put_gzip("two", "second")).data;
    two.insert(two.end(), second.begin(), second.end());
    const ReadResult r = gunzip(two);
    ASSERT_TRUE(r.ok()) << r.error;
    EXPECT_EQ(as_text(r.data), "first");
}

TEST_F(FileTest, EveryDamagedGzipIsAnError) {
    std::string text;
    for (unsigned i = 0; i < 2000; i++)
        text += std::to_string(i * 7919U);
    const std::vector<std::uint8_t> good = read_file(put_gzip("g", text)).data;
    ASSERT_TRUE(gunzip(good).ok());
    for (std::size_t n = 0; n < good.size(); n += 97)
        EXPECT_FALSE(gunzip(Bytes(good).first(n)).ok()) << n;
    EXPECT_FALSE(gunzip(Bytes(good).first(good.size() - 1)).ok());
    std::vector<std::uint8_t> bad = good;
    bad[good.size() - 6] ^= 1; // CRC
    EXPECT_FALSE(gunzip(bad).ok());
    std::vector<std::uint8_t> lying = good; // a huge size in the trailer must not be allocated
    lying[good.size() - 1] = 0xFF;
    EXPECT_FALSE(gunzip(lying).ok());
    const std::string path = put("cut.gz", as_text(Bytes(good).first(40)));
    EXPECT_EQ(read_file_maybe_gzip(path).error.rfind(path + ": ", 0), 0U);
}

TEST_F(FileTest, AbsolutePath) {
    const std::string file = put("f", "");
    EXPECT_EQ(absolute_path(dir_ + "/./f"), file);
    EXPECT_EQ(absolute_path(dir_ + "/../" + dir_.substr(5) + "/new"), dir_ + "/new");
    EXPECT_EQ(absolute_path("/no-such-file-here"), "/no-such-file-here");
    ASSERT_EQ(symlink(file.c_str(), (dir_ + "/link").c_str()), 0);
    EXPECT_EQ(absolute_path(dir_ + "/link"), file);
    EXPECT_EQ(absolute_path("new"), std::filesystem::current_path().string() + "/new");
    for (const std::string& bad : {std::string(), dir_ + "/no/f", dir_ + "/no/", dir_ + "/no/.."})
        EXPECT_FALSE(absolute_path(bad)) << bad;
}

TEST_F(FileTest, CanRead) {
    int why = -1;
    EXPECT_TRUE(can_read(put("f", ""), &why));
    EXPECT_EQ(why, 0);
    EXPECT_FALSE(can_read(dir_ + "/no", &why));
    EXPECT_EQ(why, ENOENT);
    EXPECT_FALSE(can_read(dir_, &why));
    EXPECT_EQ(why, EISDIR);
    ASSERT_EQ(mkfifo((dir_ + "/pipe").c_str(), 0600), 0);
    EXPECT_TRUE(can_read(dir_ + "/pipe")); // and does not wait for a writer
}

} // namespace
} // namespace nfqws2
