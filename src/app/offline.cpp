#include "nfqws2/app/offline.hpp"

#include "nfqws2/app/session.hpp"
#include "nfqws2/base/log.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#if NFQWS2_HAVE_PCAP
#include "nfqws2/capture/pcap_sink.hpp"
#include "nfqws2/capture/pcap_source.hpp"
#endif

namespace nfqws2::app {
namespace {

bool sends_packets_to_stdout(const std::vector<Word>& words) {
    for (std::size_t i = 0; i < words.size(); i++) {
        const std::string& text = words[i].text;
        if (text == "--pcap-out=-" || text == "-pcap-out=-") return true;
        if ((text == "--pcap-out" || text == "-pcap-out") && i + 1 < words.size() &&
            words[i + 1].text == "-")
            return true;
    }
    return false;
}

} // namespace

void OfflineFiles::keep_stdout_for_packets(const Arguments& arguments) {
    if (!sends_packets_to_stdout(arguments.words)) return;
    packet_stdout_.reset(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!packet_stdout_ || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) log::os_error("dup", errno);
}

#if NFQWS2_HAVE_PCAP

struct OfflineFiles::Files {
    explicit Files(capture::PcapSource::Options options) : source(std::move(options)) {}
    capture::PcapSource source;
    std::unique_ptr<capture::OfflineNetworkInfo> network;
    std::unique_ptr<capture::PcapSink> sink;
};

OfflineFiles::OfflineFiles() = default;
OfflineFiles::~OfflineFiles() = default;

bool OfflineFiles::open_input(const Config& config, ProcessClock& clock) {
    if (config.qnum)
        log::status("--qnum is ignored, packets come from '%s'", config.pcap_in.c_str());
    if (config.daemon || !config.pidfile.empty())
        log::status("--daemon and --pidfile are ignored with --pcap-in");
    files_ = std::make_unique<Files>(
        capture::PcapSource::Options{config.pcap_in, config.pcap_ifname, config.pcap_local});
    if (!files_->source.open()) {
        log::error_text(files_->source.error());
        return false;
    }
    files_->network =
        std::make_unique<capture::OfflineNetworkInfo>(config.pcap_ifname, files_->source.local());
    clock.go_virtual(files_->source.first_stamp_ns());
    return true;
}

bool OfflineFiles::open_output(const Config& config, ProcessClock& clock, Random& random) {
    files_->sink = std::make_unique<capture::PcapSink>(clock, random, *files_->network);
    if (config.pcap_out.empty()) return true;
    std::string path = config.pcap_out;
    if (path == "-" && packet_stdout_) path = "/dev/fd/" + std::to_string(packet_stdout_.get());
    if (files_->sink->open(path)) return true;
    log::error_text(files_->sink->error());
    return false;
}

int OfflineFiles::run(Config& config, ProcessClock& clock, profile::ListStore& lists,
                      Random& random) {
    Session session(config, clock, lists, random, *files_->sink, *files_->network);
    if (!session.init_lua()) return session.quit_requested() ? 0 : 1;
    return run_offline(session.runtime(), files_->source, *files_->sink);
}

#else

struct OfflineFiles::Files {};

OfflineFiles::OfflineFiles() = default;
OfflineFiles::~OfflineFiles() = default;

bool OfflineFiles::open_input(const Config&, ProcessClock&) {
    log::error("--pcap-in is not available, this program was built without capture file support");
    return false;
}

bool OfflineFiles::open_output(const Config&, ProcessClock&, Random&) {
    return false;
}

int OfflineFiles::run(Config&, ProcessClock&, profile::ListStore&, Random&) {
    return exit_capture_error;
}

#endif

} // namespace nfqws2::app
