#include "nfqws2/capture/pcap_sink.hpp"
#include "nfqws2/capture/pcap_source.hpp"

#if NFQWS2_HAVE_PCAP

#include "nfqws2/base/file.hpp"
#include "packets.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace nfqws2::capture {
namespace {

using test::Buffer;

constexpr std::uint32_t local_ip = 0xC000020A, peer_ip = 0xC6336414;

void put32(Buffer& out, std::uint32_t v, bool big_endian = false) {
    std::uint8_t b[4];
    store_be32(b, v);
    for (unsigned i = 0; i < 4; i++)
        out.push_back(b[big_endian ? i : 3 - i]);
}
void put16(Buffer& out, std::uint16_t v) {
    out.push_back(static_cast<std::uint8_t>(v));
    out.push_back(static_cast<std::uint8_t>(v >> 8));
}
std::uint32_t get32(const Buffer& b, std::size_t at) {
    return static_cast<std::uint32_t>(b[at] | b[at + 1] << 8 | b[at + 2] << 16) |
           static_cast<std::uint32_t>(b[at + 3]) << 24;
}

// A classic capture file built by hand.
class PcapFile {
  public:
    explicit PcapFile(std::uint32_t link_type, bool nanoseconds = false, bool big_endian = false)
        : big_(big_endian) {
        put32(data, nanoseconds ? 0xA1B23C4D : 0xA1B2C3D4, big_);
        put32(data, big_ ? 0x00020004 : 0x00040002, big_);
        put32(data, 0, big_);
        put32(data, 0, big_);
        put32(data, 65535, big_);
        put32(data, link_type, big_);
    }
    PcapFile& add(std::uint32_t seconds, std::uint32_t fraction, const Buffer& frame,
                  std::uint32_t original = 0) {
        put32(data, seconds, big_);
        put32(data, fraction, big_);
        put32(data, static_cast<std::uint32_t>(frame.size()), big_);
        put32(data, original != 0 ? original : static_cast<std::uint32_t>(frame.size()), big_);
        data.insert(data.end(), frame.begin(), frame.end());
        return *this;
    }
    Buffer data;

  private:
    bool big_;
};

// The same as pcapng: one interface with nanosecond stamps, one packet block each.
Buffer pcapng(std::uint16_t link_type, std::uint64_t stamp_ns, const Buffer& frame) {
    Buffer out;
    put32(out, 0x0A0D0D0A);
    put32(out, 28);
    put32(out, 0x1A2B3C4D);
    put16(out, 1);
    put16(out, 0);
    put32(out, 0xFFFFFFFF);
    put32(out, 0xFFFFFFFF);
    put32(out, 28);

    put32(out, 1);
    put32(out, 32);
    put16(out, link_type);
    put16(out, 0);
    put32(out, 65535);
    put16(out, 9); // if_tsresol
    put16(out, 1);
    put32(out, 9);
    put32(out, 0); // end of options
    put32(out, 32);

    const auto padded = static_cast<std::uint32_t>((frame.size() + 3) / 4 * 4);
    put32(out, 6);
    put32(out, 32 + padded);
    put32(out, 0);
    put32(out, static_cast<std::uint32_t>(stamp_ns >> 32));
    put32(out, static_cast<std::uint32_t>(stamp_ns));
    put32(out, static_cast<std::uint32_t>(frame.size()));
    put32(out, static_cast<std::uint32_t>(frame.size()));
    out.insert(out.end(), frame.begin(), frame.end());
    out.resize(out.size() + padded - frame.size());
    put32(out, 32 + padded);
    return out;
}

class PcapTest : public testing::Test {
  protected:
    void SetUp() override {
        char pattern[] = "/tmp/nfqws2-pcap-XXXXXX";
        ASSERT_NE(mkdtemp(pattern), nullptr);
        dir_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(dir_); }

    std::string put(const Buffer& data) const {
        std::string path = dir_ + "/in.pcap";
        std::ofstream(path, std::ios::binary) << as_text(data);
        return path;
    }
    static Buffer bytes(const PcapSource::Packet& p) {
        return {p.input.data.begin(), p.input.data.end()};
    }
    struct Record {
        std::int64_t stamp_ns;
        Buffer data;
        bool operator==(const Record&) const = default;
    };
    // Reads everything; the file must end without an error.
    static std::vector<Record> records(const std::string& path) {
        PcapSource source({path, "pcap0", {}});
        EXPECT_TRUE(source.open()) << source.error();
        std::vector<Record> out;
        PcapSource::Packet p;
        PcapSource::Next n;
        while ((n = source.next(p)) == PcapSource::Next::packet)
            out.push_back({p.stamp_ns, bytes(p)});
        EXPECT_EQ(n, PcapSource::Next::end);
        return out;
    }

    const Buffer out_ = test::udp4(local_ip, peer_ip, 53, "query");
    const Buffer in_ = test::udp4(peer_ip, local_ip, 53, "answer");
    std::string dir_;
};

TEST_F(PcapTest, StampsOfEveryFormat) {
    using R = std::vector<Record>;
    for (const bool big : {false, true}) {
        EXPECT_EQ(records(put(PcapFile(101, false, big).add(1700000000, 123456, out_).data)),
                  (R{{1'700'000'000'123'456'000, out_}}));
        EXPECT_EQ(records(put(PcapFile(101, true, big).add(1700000000, 123456789, out_).data)),
                  (R{{1'700'000'000'123'456'789, out_}}));
    }
    EXPECT_EQ(records(put(pcapng(101, 1'700'000'000'123'456'789, out_))),
              (R{{1'700'000'000'123'456'789, out_}}));
}

TEST_F(PcapTest, EveryLinkTypeIsRead) {
    const auto with = [&](std::string_view header) {
        Buffer f = test::unhex(header);
        f.insert(f.end(), out_.begin(), out_.end());
        return f;
    };
    const std::string macs = "020000000001 020000000002 ";
    const struct {
        std::uint32_t type;
        Buffer frame;
    } cases[] = {{101, out_},
                 {12, out_},
                 {14, out_},
                 {228, out_},
                 {1, with(macs + "0800")},
                 {1, with(macs + "8100 0001 8100 0002 0800")},
                 {113, with("0004 0001 0006 020000000001 0000 0800")},
                 {276, with("0800 0000 00000003 0001 00 06 0200000000010000")},
                 {0, with("02000000")},
                 {108, with("00000002")}};
    for (const auto& c : cases) {
        const auto got = records(put(PcapFile(c.type).add(1, 0, c.frame).data));
        ASSERT_EQ(got.size(), 1U) << c.type;
        EXPECT_EQ(got[0].data, out_) << c.type;
    }
    const Buffer six = test::ipv6(Buffer(16, 1), Buffer(16, 2), 59, "");
    EXPECT_EQ(records(put(PcapFile(229).add(1, 0, six).data)).at(0).data, six);
    EXPECT_EQ(records(put(pcapng(1, 5, with(macs + "0800")))).at(0).data, out_);
}

TEST_F(PcapTest, DirectionByTheFirstSourceAddress) {
    const Buffer other = test::udp4(0x01010101, local_ip, 1, "x");
    PcapSource source(
        {put(PcapFile(101).add(1, 0, out_).add(2, 0, in_).add(3, 0, other).data), "wire7", {}});
    ASSERT_TRUE(source.open());
    EXPECT_EQ(source.first_stamp_ns(), 1'000'000'000);
    ASSERT_EQ(source.local().size(), 1U);
    EXPECT_EQ(source.local()[0].address.text(), "192.0.2.10");
    PcapSource::Packet p;
    ASSERT_EQ(source.next(p), PcapSource::Next::packet);
    EXPECT_EQ(p.input.ifout, "wire7");
    EXPECT_EQ(p.input.ifin, "");
    EXPECT_NE(p.input.ifout_index, 0U);
    EXPECT_EQ(p.input.ifin_index, 0U);
    EXPECT_EQ(p.input.mark, 0U);
    EXPECT_EQ(bytes(p), out_);
    for (unsigned i = 0; i < 2; i++) {
        ASSERT_EQ(source.next(p), PcapSource::Next::packet);
        EXPECT_EQ(p.input.ifin, "wire7");
        EXPECT_EQ(p.input.ifout, "");
        EXPECT_EQ(p.input.ifout_index, 0U);
    }
    EXPECT_EQ(source.next(p), PcapSource::Next::end);
    EXPECT_EQ(source.next(p), PcapSource::Next::end);
    EXPECT_EQ(source.packets_read(), 3U);
}

TEST_F(PcapTest, DirectionByGivenNetworks) {
    const Buffer six = test::ipv6(test::unhex("20010db8000100000000000000000010"),
                                  test::unhex("20010db8000200000000000000000020"), 253, "x");
    PcapSource source(
        {put(PcapFile(101).add(1, 0, in_).add(2, 0, out_).add(3, 0, six).data),
         "pcap0",
         {{*IpAddress::parse("192.0.2.0"), 24}, {*IpAddress::parse("2001:db8:1::"), 48}}});
    ASSERT_TRUE(source.open());
    EXPECT_EQ(source.local().size(), 2U);
    PcapSource::Packet p;
    for (const bool outgoing : {false, true, true}) {
        ASSERT_EQ(source.next(p), PcapSource::Next::packet);
        EXPECT_EQ(p.input.ifout.empty(), !outgoing);
        EXPECT_EQ(p.input.ifin.empty(), outgoing);
    }
}

TEST_F(PcapTest, SkipsAndCountsWhatIsNotIp) {
    const Buffer arp = test::unhex("ffffffffffff 020000000002 0806 0001080006040001");
    Buffer ip = test::unhex("020000000001 020000000002 0800");
    ip.insert(ip.end(), out_.begin(), out_.end());
    PcapSource source(
        {put(PcapFile(1).add(1, 0, arp).add(2, 0, ip).add(3, 0, arp).add(4, 0, ip).data), "p", {}});
    ASSERT_TRUE(source.open());
    EXPECT_EQ(source.first_stamp_ns(), 2'000'000'000);
    PcapSource::Packet p;
    while (source.next(p) == PcapSource::Next::packet)
        EXPECT_EQ(bytes(p), out_);
    EXPECT_EQ(source.packets_read(), 2U);
    EXPECT_EQ(source.frames_skipped(), 2U);
}

TEST_F(PcapTest, ShortRecordsPassAndAnEmptyFileIsFine) {
    const Buffer cut(out_.begin(), out_.begin() + 11);
    const auto got = records(put(PcapFile(101).add(1, 0, cut, 33).add(2, 0, out_).data));
    ASSERT_EQ(got.size(), 2U);
    EXPECT_EQ(got[0].data, cut);
    EXPECT_TRUE(records(put(PcapFile(101).data)).empty());
    PcapSource empty({put(PcapFile(101).data), "p", {}});
    ASSERT_TRUE(empty.open());
    EXPECT_EQ(empty.first_stamp_ns(), 0);
    EXPECT_TRUE(empty.local().empty());
}

TEST_F(PcapTest, TruncatedFileGivesItsPacketsThenTheError) {
    const Buffer whole = PcapFile(101).add(1, 0, out_).add(2, 0, in_).data;
    for (const std::size_t missing : {1U, 20U, 40U}) {
        const std::string path =
            put({whole.begin(), whole.end() - static_cast<std::ptrdiff_t>(missing)});
        PcapSource source({path, "p", {}});
        ASSERT_TRUE(source.open());
        PcapSource::Packet p;
        ASSERT_EQ(source.next(p), PcapSource::Next::packet);
        EXPECT_EQ(bytes(p), out_);
        EXPECT_EQ(source.next(p), PcapSource::Next::error);
        EXPECT_EQ(source.next(p), PcapSource::Next::error);
        EXPECT_EQ(source.error().rfind("cannot read capture '" + path + "': trunc", 0), 0U)
            << source.error();
    }
}

TEST_F(PcapTest, OpenErrorsNameFileAndReason) {
    const auto error_of = [](const std::string& path) {
        PcapSource source({path, "p", {}});
        EXPECT_FALSE(source.open());
        return source.error();
    };
    EXPECT_EQ(error_of(dir_ + "/no"),
              "cannot read capture '" + dir_ + "/no': No such file or directory");
    EXPECT_EQ(error_of(put(Buffer(100, 'x'))),
              "cannot read capture '" + dir_ + "/in.pcap': unknown file format");
    EXPECT_NE(error_of(put({})).find(dir_ + "/in.pcap': trunc"), std::string::npos);
    EXPECT_NE(error_of(dir_).find("directory"), std::string::npos);
    EXPECT_NE(error_of(put(PcapFile(105).data)).find("link type 105"), std::string::npos);
}

TEST_F(PcapTest, ReadsStandardInput) {
    const std::string path = put(PcapFile(101).add(1, 0, out_).data);
    const FileDescriptor saved(dup(0));
    const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(dup2(file.get(), 0), 0);
    PcapSource source({"-", "p", {}});
    ASSERT_TRUE(source.open()) << source.error();
    PcapSource::Packet p;
    ASSERT_EQ(source.next(p), PcapSource::Next::packet);
    EXPECT_EQ(bytes(p), out_);
    EXPECT_EQ(source.next(p), PcapSource::Next::end);
    ASSERT_EQ(dup2(saved.get(), 0), 0);
}

class PcapSinkTest : public PcapTest {
  protected:
    std::string path() const { return dir_ + "/out.pcap"; }
    OutputPacket output(const Buffer& data, unsigned repeats = 1) const {
        return {data, 0x40000000, "", repeats};
    }

    VirtualClock clock_{1'700'000'000'123'456'789};
    std::unique_ptr<Random> random_ = make_seeded_random(5);
    OfflineNetworkInfo network_{"pcap0", {{*IpAddress::parse("192.0.2.10"), 32}}};
};

TEST_F(PcapSinkTest, WritesClassicNanosecondRawIpInOrder) {
    PcapSink sink(clock_, *random_, network_);
    ASSERT_TRUE(sink.open(path()));
    sink.accepted(out_);
    EXPECT_TRUE(sink.send(output(in_, 2)));
    clock_.advance_to(1'700'000'001'000'000'001);
    sink.modified(out_);
    ASSERT_TRUE(sink.finish());

    const Buffer raw = read_file(path()).data;
    ASSERT_GT(raw.size(), 24U);
    EXPECT_EQ(get32(raw, 0), 0xA1B23C4DU);
    EXPECT_EQ(get32(raw, 20), 101U);
    EXPECT_EQ(records(path()), (std::vector<Record>{{1'700'000'000'123'456'789, out_},
                                                    {1'700'000'000'123'456'789, in_},
                                                    {1'700'000'000'123'456'789, in_},
                                                    {1'700'000'001'000'000'001, out_}}));
    EXPECT_EQ(sink.packets_accepted(), 1U);
    EXPECT_EQ(sink.packets_generated(), 2U);
    EXPECT_EQ(sink.packets_modified(), 1U);
}

// What the kernel fills in, see docs/contracts/wire.md#raw-sending.
TEST_F(PcapSinkTest, GeneratedPacketsGetTheKernelsChanges) {
    PcapSink sink(clock_, *random_, network_);
    ASSERT_TRUE(sink.open(path()));
    const Buffer lying = test::unhex("4500000A00050000091101010A01004D0A020001"
                                     "00010002000A0000FFFF");
    sink.send(output(lying));
    Buffer no_id = lying, no_id_df = lying, no_source = lying;
    store_be16(&no_id[4], 0);
    store_be16(&no_id_df[4], 0);
    no_id_df[6] = 0x40;
    store_be32(&no_source[12], 0);
    sink.send(output(no_id, 2));
    sink.send(output(no_id_df));
    sink.send(output(no_source));
    ASSERT_TRUE(sink.finish());

    const auto got = records(path());
    ASSERT_EQ(got.size(), 5U);
    EXPECT_EQ(got[0].data, test::unhex("4500001E0005000009119D7A0A01004D0A020001"
                                       "00010002000A0000FFFF"));
    EXPECT_NE(load_be16(&got[1].data[4]), 0);
    EXPECT_NE(load_be16(&got[2].data[4]), 0);
    EXPECT_NE(got[1].data, got[2].data) << "each repetition is a packet of its own";
    EXPECT_EQ(load_be16(&got[3].data[4]), 0);
    EXPECT_EQ(load_be32(&got[4].data[12]), local_ip);
    for (const Record& r : got) {
        EXPECT_EQ(load_be16(&r.data[2]), 30);
        EXPECT_EQ(test::sum16(Bytes(r.data).first(20)), 0);
    }
}

TEST_F(PcapSinkTest, OriginalsAndIpv6AreWrittenByteForByte) {
    PcapSink sink(clock_, *random_, network_);
    ASSERT_TRUE(sink.open(path()));
    const Buffer lying = test::unhex("4500000A00000000091101010A01004D0A020001");
    Buffer six = test::ipv6(Buffer(16, 1), Buffer(16, 2), 253, "data");
    store_be16(&six[4], 999);
    sink.accepted(lying);
    sink.modified(lying);
    EXPECT_TRUE(sink.send(output(six)));
    ASSERT_TRUE(sink.finish());
    const auto got = records(path());
    ASSERT_EQ(got.size(), 3U);
    EXPECT_EQ(got[0].data, lying);
    EXPECT_EQ(got[1].data, lying);
    EXPECT_EQ(got[2].data, six);
}

TEST_F(PcapSinkTest, RefusesWhatHasNoIpHeader) {
    PcapSink sink(clock_, *random_, network_);
    Buffer bad = out_;
    bad[0] = 0x4F;
    EXPECT_FALSE(sink.send(output(bad)));
    EXPECT_FALSE(sink.send(output({})));
    EXPECT_EQ(sink.packets_generated(), 0U);
}

TEST_F(PcapSinkTest, SameSeedSameFile) {
    std::vector<Buffer> files;
    for (unsigned run = 0; run < 2; run++) {
        const auto random = make_seeded_random(77);
        PcapSink sink(clock_, *random, network_);
        ASSERT_TRUE(sink.open(path()));
        for (unsigned i = 0; i < 5; i++)
            sink.send(output(test::udp4(local_ip, peer_ip, 53, "x", 0)));
        ASSERT_TRUE(sink.finish());
        files.push_back(read_file(path()).data);
    }
    EXPECT_EQ(files[0], files[1]);
}

TEST_F(PcapSinkTest, CountsWithoutAFile) {
    PcapSink sink(clock_, *random_, network_);
    sink.accepted(out_);
    sink.modified(out_);
    EXPECT_TRUE(sink.send(output(out_, 3)));
    EXPECT_TRUE(sink.finish());
    EXPECT_EQ(sink.packets_accepted() + sink.packets_modified() + sink.packets_generated(), 5U);
}

TEST_F(PcapSinkTest, ErrorsNameFileAndReason) {
    PcapSink sink(clock_, *random_, network_);
    EXPECT_FALSE(sink.open(dir_ + "/no/out.pcap"));
    EXPECT_EQ(sink.error(),
              "cannot write capture '" + dir_ + "/no/out.pcap': No such file or directory");
    if (access("/dev/full", W_OK) != 0) return;
    PcapSink full(clock_, *random_, network_);
    ASSERT_TRUE(full.open("/dev/full"));
    full.accepted(out_);
    EXPECT_FALSE(full.finish());
    EXPECT_EQ(full.error(), "cannot write capture '/dev/full': No space left on device");
}

TEST_F(PcapSinkTest, WritesStandardOutput) {
    std::fflush(stdout);
    const FileDescriptor saved(dup(1));
    const FileDescriptor file(open(path().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_EQ(dup2(file.get(), 1), 1);
    {
        PcapSink sink(clock_, *random_, network_);
        EXPECT_TRUE(sink.open("-"));
        sink.accepted(out_);
        EXPECT_TRUE(sink.finish());
    }
    std::fflush(stdout);
    ASSERT_EQ(dup2(saved.get(), 1), 1);
    EXPECT_EQ(records(path()).size(), 1U);
    EXPECT_GE(std::printf("%s", ""), 0) << "standard output stays open";
}

} // namespace
} // namespace nfqws2::capture

#endif
