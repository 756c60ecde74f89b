#include "nfqws2/capture/pcap_sink.hpp"

#if NFQWS2_HAVE_PCAP

#include "nfqws2/base/output_file.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/packet/checksum.hpp"
#include "nfqws2/packet/dissect.hpp"
#include "pcap_library.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace nfqws2::capture {

namespace {
constexpr int snap_length = 65535;
}

void PcapSink::HandleCloser::operator()(pcap* handle) const {
    libpcap().close(handle);
}

void PcapSink::DumperCloser::operator()(pcap_dumper* dumper) const {
    libpcap().dump_close(dumper);
}

PcapSink::PcapSink(const Clock& clock, Random& random, NetworkInfo& network)
    : clock_(clock), random_(random), network_(network) {
}
PcapSink::~PcapSink() = default;

void PcapSink::fail(const char* reason) {
    if (!error_.empty()) return; // the first reason is the interesting one
    error_ = nfqws2::format("cannot write capture '%s': %s",
                            path_ == "-" ? "standard output" : path_.c_str(), reason);
}

bool PcapSink::open(const std::string& path) {
    path_ = path;
    if (!libpcap().is_there()) {
        fail(libpcap_is_missing);
        return false;
    }
    OutputFile output;
    if (path == "-") { // libpcap closes the stream at the end: standard output must survive that
        output.file.reset(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
        output.error = std::strerror(errno);
    } else {
        output = open_output_file(path, O_WRONLY | O_TRUNC);
    }
    std::FILE* file = output ? fdopen(output.file.get(), "wb") : nullptr;
    if (file == nullptr) {
        fail(output ? std::strerror(errno) : output.error.c_str());
        return false;
    }
    output.file.release();
    handle_.reset(libpcap().open_dead_with_tstamp_precision(DLT_RAW, snap_length,
                                                            PCAP_TSTAMP_PRECISION_NANO));
    if (handle_) dumper_.reset(libpcap().dump_fopen(handle_.get(), file));
    if (dumper_) return true;
    fail(handle_ ? libpcap().geterr(handle_.get()) : "out of memory");
    std::fclose(file);
    return false;
}

bool PcapSink::send(const OutputPacket& packet) {
    if (!packet::looks_like_ipv4(packet.data) && !packet::looks_like_ipv6(packet.data))
        return false;
    for (unsigned i = 0; i < packet.repeats; i++) {
        generated_++;
        write(as_the_kernel_sends_it(packet.data));
    }
    return true;
}

void PcapSink::accepted(Bytes packet) {
    accepted_++;
    write(packet);
}

void PcapSink::modified(Bytes packet) {
    modified_++;
    write(packet);
}

void PcapSink::write(Bytes packet) {
    if (!dumper_) return;
    const std::int64_t now = clock_.unix_ns();
    pcap_pkthdr header{};
    header.ts.tv_sec = static_cast<time_t>(now / 1'000'000'000);
    header.ts.tv_usec = static_cast<suseconds_t>(now % 1'000'000'000);
    header.caplen = header.len = static_cast<bpf_u_int32>(packet.size());
    errno = 0;
    libpcap().dump(reinterpret_cast<u_char*>(dumper_.get()), &header, packet.data());
    if (std::ferror(libpcap().dump_file(dumper_.get())) != 0)
        fail(errno != 0 ? std::strerror(errno) : "write error");
}

bool PcapSink::finish() {
    if (dumper_ && libpcap().dump_flush(dumper_.get()) != 0) fail(std::strerror(errno));
    return error_.empty();
}

// Raw sockets: Linux sets total length and header checksum of IPv4, chooses an id where there is
// none and fragmentation is allowed, and fills in the source address if it is missing.
Bytes PcapSink::as_the_kernel_sends_it(Bytes packet) {
    constexpr std::uint16_t dont_fragment = 0x4000;
    if (packet[0] >> 4 != 4) return packet;
    scratch_.assign(packet.begin(), packet.end());
    std::uint8_t* ip = scratch_.data();
    store_be16(ip + 2, static_cast<std::uint16_t>(packet.size()));
    if (load_be16(ip + 4) == 0 && (load_be16(ip + 6) & dont_fragment) == 0)
        store_be16(ip + 4, static_cast<std::uint16_t>(random_.below(0xFFFF) + 1));
    if (load_be32(ip + 12) == 0) {
        const IpAddress source = network_.source_for(IpAddress::v4(ip + 16));
        if (source.version == 4) std::memcpy(ip + 12, source.raw.data(), 4);
    }
    packet::fix_ipv4_checksum(scratch_);
    return scratch_;
}

} // namespace nfqws2::capture

#endif
