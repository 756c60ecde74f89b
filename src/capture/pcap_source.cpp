#include "nfqws2/capture/pcap_source.hpp"

#if NFQWS2_HAVE_PCAP

#include "nfqws2/base/text.hpp"
#include "pcap_library.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace nfqws2::capture {

namespace {

IpAddress source_of(Bytes packet) {
    if (packet.size() >= 20 && packet[0] >> 4 == 4) return IpAddress::v4(packet.data() + 12);
    if (packet.size() >= 40 && packet[0] >> 4 == 6) return IpAddress::v6(packet.data() + 8);
    return {};
}

} // namespace

void PcapSource::Closer::operator()(pcap* handle) const {
    libpcap().close(handle);
}

void PcapSource::FileCloser::operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
}

PcapSource::PcapSource(Options options) : options_(std::move(options)) {
}
PcapSource::~PcapSource() = default;

void PcapSource::fail(const char* reason) {
    const bool standard_input = options_.path == "-";
    error_ = nfqws2::format("cannot read capture '%s': %s",
                            standard_input ? "standard input" : options_.path.c_str(), reason);
}

std::string PcapSource::library_version() {
    return libpcap().is_there() ? libpcap().lib_version() : "no libpcap";
}

bool PcapSource::open_file() {
    if (!libpcap().is_there()) {
        fail(libpcap_is_missing);
        return false;
    }
    file_.reset(options_.path == "-" ? stdin : std::fopen(options_.path.c_str(), "rbe"));
    if (!file_) fail(std::strerror(errno));
    return static_cast<bool>(file_);
}

bool PcapSource::open() {
    if (!file_ && !open_file()) return false;
    char reason[PCAP_ERRBUF_SIZE] = "";
    handle_.reset(libpcap().fopen_offline_with_tstamp_precision(
        file_.get(), PCAP_TSTAMP_PRECISION_NANO, reason));
    if (!handle_) {
        fail(reason);
        return false;
    }
    [[maybe_unused]] const std::FILE* taken = file_.release();
    const auto type = link_type_from_dlt(libpcap().datalink(handle_.get()));
    if (!type) {
        const char* name = libpcap().datalink_val_to_name(libpcap().datalink(handle_.get()));
        fail(nfqws2::format("link type %d (%s) is not supported", libpcap().datalink(handle_.get()),
                            name != nullptr ? name : "unknown")
                 .c_str());
        return false;
    }
    link_type_ = *type;

    read_ahead_result_ = read_frame();
    read_ahead_ = true;
    if (read_ahead_result_ == Next::packet) {
        first_stamp_ns_ = stamp_ns_;
        const IpAddress source = source_of(packet_);
        if (options_.local.empty() && !source.empty())
            options_.local.push_back({source, source.version == 4 ? 32U : 128U});
    }
    return true;
}

PcapSource::Next PcapSource::next(Packet& out, bool frames) {
    const Next result = read_ahead_ ? read_ahead_result_ : read_frame();
    read_ahead_ = result != Next::packet; // the end stays the end
    read_ahead_result_ = result;
    if (result != Next::packet) return result;

    read_++;
    out.stamp_ns = stamp_ns_;
    out.input = {};
    out.input.data = packet_;
    if (frames) {
        header_ = header_of_frame(link_type_, frame_);
        link_ = layers_of_frame(link_type_, frame_, packet_);
        out.input.frame = header_.view();
        out.input.link = link_.view();
    }
    out.input.mark = options_.mark;
    out.input.id = static_cast<std::uint32_t>(read_);
    if (is_local(packet_)) {
        out.input.ifout = options_.interface_name;
        out.input.ifout_index = OfflineNetworkInfo::interface_index;
    } else {
        out.input.ifin = options_.interface_name;
        out.input.ifin_index = OfflineNetworkInfo::interface_index;
    }
    return result;
}

PcapSource::Next PcapSource::read_frame() {
    for (;;) {
        pcap_pkthdr* header = nullptr;
        const u_char* data = nullptr;
        const int status = libpcap().next_ex(handle_.get(), &header, &data);
        if (status == PCAP_ERROR_BREAK) return Next::end;
        if (status != 1) {
            fail(libpcap().geterr(handle_.get()));
            return Next::error;
        }
        frame_ = {data, header->caplen};
        packet_ = ip_packet_in_frame(link_type_, frame_);
        if (packet_.empty()) {
            skipped_++;
            continue;
        }
        // tv_usec holds nanoseconds, as asked for when the file was opened.
        stamp_ns_ =
            static_cast<std::int64_t>(header->ts.tv_sec) * 1'000'000'000 + header->ts.tv_usec;
        return Next::packet;
    }
}

bool PcapSource::is_local(Bytes packet) const {
    const IpAddress source = source_of(packet);
    for (const Network& n : options_.local)
        if (n.contains(source)) return true;
    return false;
}

} // namespace nfqws2::capture

#endif
