// Where packets go in offline mode: a capture file (classic pcap, nanoseconds, raw IP), or nowhere
// but into the counters. Generated packets are written as Linux would have put them on the wire.
#pragma once

#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/capture/packet_io.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct pcap;
struct pcap_dumper;

namespace nfqws2::capture {

class PcapSink final : public PacketSender {
  public:
    // Records are stamped with the clock's time. `random` gives the ids a kernel would choose,
    // `network` the source address it would fill in.
    PcapSink(const Clock& clock, Random& random, NetworkInfo& network);
    ~PcapSink() override;

    // "-" is standard output. Without open() packets are only counted. False: see error().
    bool open(const std::string& path);

    bool send(const OutputPacket& packet) override; // a generated packet
    void accepted(Bytes packet);                    // an original, unchanged
    void modified(Bytes packet);

    // Writes out what is buffered. False if anything failed since open(): see error().
    bool finish();
    const std::string& error() const { return error_; } // names the file and the reason

    std::uint64_t packets_generated() const { return generated_; }
    std::uint64_t packets_accepted() const { return accepted_; }
    std::uint64_t packets_modified() const { return modified_; }

  private:
    struct HandleCloser {
        void operator()(pcap* handle) const;
    };
    struct DumperCloser {
        void operator()(pcap_dumper* dumper) const;
    };
    void write(Bytes packet);
    void fail(const char* reason);
    Bytes as_the_kernel_sends_it(Bytes packet);

    const Clock& clock_;
    Random& random_;
    NetworkInfo& network_;
    std::string path_, error_;
    std::unique_ptr<pcap, HandleCloser> handle_;
    std::unique_ptr<pcap_dumper, DumperCloser> dumper_;
    std::vector<std::uint8_t> scratch_;
    std::uint64_t generated_ = 0, accepted_ = 0, modified_ = 0;
};

} // namespace nfqws2::capture
