// Packets from a capture file, one at a time, so that the caller can move the virtual clock and run
// timers before each. The first packet is read ahead: its time stamp starts the clock and its
// source address is the default for "our side of the wire".
#pragma once

#include "nfqws2/capture/link_layer.hpp"
#include "nfqws2/capture/network_info.hpp"
#include "nfqws2/capture/packet_io.hpp"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

struct pcap;

namespace nfqws2::capture {

class PcapSource {
  public:
    struct Options {
        std::string path; // "-" is standard input
        std::string interface_name = "pcap0";
        std::vector<Network> local; // empty: the source address of the first IP packet
        // Of every packet: libpcap hands over no options of pcapng, where a packet's own could be.
        std::uint32_t mark = 0;
    };
    struct Packet {
        InputPacket input; // valid until the next call of next()
        std::int64_t stamp_ns = 0;
    };
    enum class Next : std::uint8_t { packet, end, error };

    // Of the libpcap that reads and writes capture files, or that there is none.
    static std::string library_version();

    explicit PcapSource(Options options);
    ~PcapSource();

    // Loads libpcap, which a fence would forbid later, and opens the file, without a look into it;
    // only if its reading shall come later, with fewer rights. False: error() names the file and
    // the reason.
    bool open_file();
    // Reads its beginning. False: see error().
    bool open();
    // Stamp of the first packet, 0 if there is none. Known after open().
    std::int64_t first_stamp_ns() const { return first_stamp_ns_; }
    const std::vector<Network>& local() const { return options_.local; }

    // `error` comes after all packets that could be read.
    // `frames`: with its frame, see PacketHandler::wants_frames().
    Next next(Packet& out, bool frames = true);

    std::uint64_t packets_read() const { return read_; }
    std::uint64_t frames_skipped() const { return skipped_; } // not IP
    const std::string& error() const { return error_; }

  private:
    struct Closer {
        void operator()(pcap* handle) const;
    };
    struct FileCloser {
        void operator()(std::FILE* file) const;
    };
    void fail(const char* reason);
    Next read_frame();
    bool is_local(Bytes packet) const;

    Options options_;
    std::unique_ptr<std::FILE, FileCloser> file_; // until libpcap has it
    std::unique_ptr<pcap, Closer> handle_;
    LinkType link_type_ = LinkType::raw;
    Bytes frame_, packet_; // read ahead, inside libpcap's buffer
    LinkHeader header_;    // of the packet handed out
    LinkLayers link_;      // likewise
    std::int64_t stamp_ns_ = 0;
    std::int64_t first_stamp_ns_ = 0;
    bool read_ahead_ = false;
    Next read_ahead_result_ = Next::end;
    std::uint64_t read_ = 0, skipped_ = 0;
    std::string error_;
};

} // namespace nfqws2::capture
