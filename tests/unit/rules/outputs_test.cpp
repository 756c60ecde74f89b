// What `capture` and `export` write (docs/rules.md#capture-export).
#include "nfqws2/rules/outputs.hpp"

#include "world.hpp"

#include <cstdio>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace nfqws2::rules {
namespace {

using namespace test_packets;

class OutputFileOf {
  public:
    OutputFileOf() : file_(std::tmpfile()) {}
    ~OutputFileOf() { std::fclose(file_); }
    OutputFileOf(const OutputFileOf&) = delete;
    OutputFileOf& operator=(const OutputFileOf&) = delete;

    FileDescriptor copy() const { return FileDescriptor(dup(fileno(file_))); }
    std::string contents() const {
        std::string text;
        char buffer[4096];
        ssize_t got = 0;
        for (off_t at = 0; (got = pread(fileno(file_), buffer, sizeof buffer, at)) > 0; at += got)
            text.append(buffer, static_cast<std::size_t>(got));
        return text;
    }

  private:
    std::FILE* file_;
};

std::uint32_t word_at(const std::string& data, std::size_t at) {
    std::uint32_t value = 0;
    std::memcpy(&value, data.data() + at, sizeof value);
    return value;
}

// Types of the blocks; each names its length at both ends.
std::vector<std::uint32_t> blocks_of(const std::string& data) {
    std::vector<std::uint32_t> types;
    for (std::size_t at = 0; at < data.size();) {
        const std::uint32_t length = word_at(data, at + 4);
        EXPECT_EQ(0U, length % 4);
        EXPECT_LE(at + length, data.size());
        if (length < 12 || at + length > data.size()) break;
        EXPECT_EQ(length, word_at(data, at + length - 4));
        types.push_back(word_at(data, at));
        at += length;
    }
    return types;
}

constexpr std::uint32_t section = 0x0A0D0D0A, interface = 1, packet_block = 6;
const std::string both =
    "[[profile]]\nname = \"a\"\n[[profile.rule]]\nname = \"dns\"\n"
    "match = [ { dport = 53 } ]\n"
    "action = [ { capture = \"on\" }, { export = \"on\" }, { mark = { value = 7 } }, \"drop\" ]\n";

TEST(Outputs, CapturedPacketsAreBlocksOfAFile) {
    const VirtualClock clock(1'700'000'000'123'456'789);
    const OutputFileOf file;
    Outputs outputs(clock);
    outputs.capture_into(file.copy(), 1'000'000);
    World world(both);
    world.judge->set_outputs(&outputs);
    world.about.ifin = "eth1";
    world.feed(U());
    world.feed(S());
    world.feed(U());
    world.about.ifin = "eth2";
    world.feed(U());
    const std::string data = file.contents();
    EXPECT_EQ((std::vector<std::uint32_t>{section, interface, packet_block, packet_block, interface,
                                          packet_block}),
              blocks_of(data));
    for (const char* part : {"eth1", "eth2", "dns", "hello"})
        EXPECT_NE(std::string::npos, data.find(part)) << part;
    EXPECT_EQ(3U, outputs.counts().captured);
}

TEST(Outputs, ACaptureEndsAtItsSize) {
    const VirtualClock clock(1);
    const OutputFileOf file;
    Outputs outputs(clock);
    outputs.capture_into(file.copy(), 300);
    for (int i = 0; i < 10; i++)
        outputs.capture(U(), "eth0", "a");
    EXPECT_LE(file.contents().size(), 300U);
    EXPECT_EQ(packet_block, blocks_of(file.contents()).back());
    EXPECT_FALSE(outputs.captures());
    EXPECT_EQ(10U, outputs.counts().captured + outputs.counts().not_captured);
    EXPECT_GT(outputs.counts().not_captured, 0U);
}

TEST(Outputs, ACaptureTakesSoManyPacketsASecond) {
    VirtualClock clock(1);
    const OutputFileOf file;
    Outputs outputs(clock);
    outputs.capture_into(file.copy(), 100'000'000);
    for (std::uint32_t i = 0; i < Outputs::written_per_second + 5; i++)
        outputs.capture(U(), "", "");
    EXPECT_EQ(5U, outputs.counts().not_captured);
    clock.advance_to(2'000'000'000);
    outputs.capture(U(), "", "");
    EXPECT_EQ(Outputs::written_per_second + 1, outputs.counts().captured);
}

TEST(Outputs, ARecordIsALineOfJson) {
    const VirtualClock clock(1'700'000'000'123'456'789);
    const OutputFileOf file;
    Outputs outputs(clock);
    outputs.export_into(file.copy(), 1'000'000);
    World world(both);
    world.judge->set_outputs(&outputs);
    world.feed(U());
    const std::string text = file.contents();
    ASSERT_FALSE(text.empty());
    EXPECT_EQ('\n', text.back());
    const auto record = nlohmann::json::parse(text);
    EXPECT_EQ(record, nlohmann::json::parse(R"({"t_ms":1700000000123,"rule":"dns","action":"drop",
        "protocol":17,"src":"10.0.0.1","dst":"192.0.2.10","sport":4000,"dport":53,"length":33,
        "country":null,"mark":7,"fwmark":0})"));
}

TEST(Outputs, ADatagramGoesToWhoeverListens) {
    const VirtualClock clock(1);
    const std::string path = "/tmp/nfqws2-export-" + std::to_string(getpid());
    Outputs outputs(clock);
    std::string error;
    ASSERT_TRUE(outputs.export_to_socket(path, &error)) << error;
    outputs.write_record("{}"); // nobody listens
    EXPECT_EQ(1U, outputs.counts().lost);
    const FileDescriptor listener(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.sun_path);
    ASSERT_EQ(0, bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
    outputs.write_record("{}");
    char buffer[16];
    EXPECT_EQ(3, recv(listener.get(), buffer, sizeof buffer, 0));
    EXPECT_EQ(1U, outputs.counts().exported);
    std::remove(path.c_str());
    EXPECT_FALSE(outputs.export_to_socket(std::string(200, 'x'), &error));
    EXPECT_FALSE(outputs.export_to_socket("", &error));
}

TEST(Outputs, ACaptureReplacesWhatIsThere) {
    const VirtualClock clock(1);
    const OutputFileOf file;
    ASSERT_EQ(5, write(file.copy().get(), "older", 5));
    Outputs outputs(clock);
    FileDescriptor appending = file.copy();
    fcntl(appending.get(), F_SETFL, O_APPEND);
    outputs.capture_into(std::move(appending), 1'000'000);
    outputs.capture(U(), "", "");
    EXPECT_EQ((std::vector<std::uint32_t>{section, interface, packet_block}),
              blocks_of(file.contents()));
}

TEST(Outputs, ACaptureIntoAFullPipeEndsInsteadOfWaiting) {
    const VirtualClock clock(1);
    int ends[2];
    ASSERT_EQ(0, pipe(ends));
    const FileDescriptor reader(ends[0]);
    Outputs outputs(clock);
    outputs.capture_into(FileDescriptor(ends[1]), 100'000'000);
    EXPECT_TRUE(outputs.captures());
    for (std::uint32_t i = 0; i < Outputs::written_per_second; i++)
        outputs.capture(U(), "", "");
    EXPECT_FALSE(outputs.captures());
    EXPECT_GT(outputs.counts().captured, 0U);
    EXPECT_EQ(Outputs::written_per_second,
              outputs.counts().captured + outputs.counts().not_captured);
}

TEST(Outputs, WorkersAskWhileACaptureEnds) {
    const VirtualClock clock(1);
    const OutputFileOf file;
    Outputs outputs(clock);
    outputs.capture_into(file.copy(), 2000);
    std::thread other([&outputs] {
        while (outputs.captures())
            outputs.capture(U(), "", "");
    });
    while (outputs.captures())
        outputs.capture(U(), "", "");
    other.join();
    EXPECT_LE(file.contents().size(), 2000U);
}

TEST(Outputs, AFileOfRecordsHasItsSizeAndGoesOnOnceItIsEmptied) {
    const VirtualClock clock(1);
    const OutputFileOf file;
    Outputs outputs(clock);
    FileDescriptor appending = file.copy();
    fcntl(appending.get(), F_SETFL, O_APPEND);
    outputs.export_into(std::move(appending), 10);
    for (int i = 0; i < 5; i++)
        outputs.write_record("{}");
    EXPECT_EQ("{}\n{}\n{}\n", file.contents());
    EXPECT_EQ(2U, outputs.counts().lost);
    ASSERT_EQ(0, ftruncate(file.copy().get(), 0));
    outputs.write_record("{}");
    EXPECT_EQ("{}\n", file.contents());
}

TEST(Outputs, AFileOfRecordsTakesSoManyASecond) {
    VirtualClock clock(1);
    const OutputFileOf file;
    Outputs outputs(clock);
    outputs.export_into(file.copy(), 1'000'000);
    for (std::uint32_t i = 0; i < Outputs::written_per_second + 5; i++)
        outputs.write_record("{}");
    EXPECT_EQ(5U, outputs.counts().lost);
    clock.advance_to(2'000'000'000);
    outputs.write_record("{}");
    EXPECT_EQ(Outputs::written_per_second + 1, outputs.counts().exported);
}

TEST(Outputs, BehindATornRecordTheNextOneBeginsALine) {
    const VirtualClock clock(1);
    int ends[2];
    ASSERT_EQ(0, pipe(ends));
    const FileDescriptor reader(ends[0]);
    Outputs outputs(clock);
    outputs.export_into(FileDescriptor(ends[1]), 1);
    const std::string longer(100'000, 'x'); // than the pipe
    outputs.write_record(longer);
    EXPECT_EQ(1U, outputs.counts().lost);
    std::string text(longer.size(), ' ');
    const ssize_t torn = read(reader.get(), text.data(), text.size());
    ASSERT_GT(torn, 0);
    ASSERT_LT(torn, static_cast<ssize_t>(longer.size()));
    outputs.write_record("{}");
    outputs.write_record("{}");
    text.resize(
        static_cast<std::size_t>(std::max<ssize_t>(0, read(reader.get(), text.data(), 100))));
    EXPECT_EQ("\n{}\n{}\n", text);
}

TEST(Outputs, SwitchedOffNothingIsWritten) {
    const VirtualClock clock(1);
    const OutputFileOf file;
    Outputs outputs(clock);
    outputs.export_into(file.copy(), 1'000'000);
    World world("[[profile]]\n[[profile.rule]]\naction = [ { export = \"on\" } ]\n"
                "[[profile.rule]]\naction = [ { export = \"off\" }, \"drop\" ]\n");
    world.judge->set_outputs(&outputs);
    world.feed(U());
    EXPECT_EQ("", file.contents());
}

} // namespace
} // namespace nfqws2::rules
