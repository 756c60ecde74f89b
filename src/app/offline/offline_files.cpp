#include "offline/offline_files.hpp"

#include "nfqws2/base/log.hpp"
#include "offline/offline_loop.hpp"

#if NFQWS2_HAVE_PCAP
#include "nfqws2/capture/pcap_sink.hpp"
#include "nfqws2/capture/pcap_source.hpp"
#include "offline/capture_queues.hpp"
#endif

namespace nfqws2::app {
#if NFQWS2_HAVE_PCAP

struct OfflineFiles::Files {
    explicit Files(capture::PcapSource::Options options) : source(std::move(options)) {}
    capture::PcapSource source;
    std::unique_ptr<capture::OfflineNetworkInfo> network;
    std::unique_ptr<capture::PcapSink> sink;
    capture::NoMessages messages;
};

OfflineFiles::OfflineFiles() = default;
OfflineFiles::~OfflineFiles() = default;

bool OfflineFiles::open_input(const Config& config) {
    if (config.qnum)
        log::status("--qnum is ignored, packets come from '%s'", config.pcap_in.c_str());
    if (config.daemon || !config.pidfile.empty())
        log::status("--daemon and --pidfile are ignored with --pcap-in");
    if (!config.control.empty()) log::status("--control is ignored with --pcap-in");
    files_ = std::make_unique<Files>(capture::PcapSource::Options{
        config.pcap_in, config.pcap_ifname, config.pcap_local, config.pcap_mark});
    files_->network = std::make_unique<capture::OfflineNetworkInfo>(
        config.pcap_ifname, std::vector<capture::Network>());
    if (files_->source.open_file()) return true;
    log::error_text(files_->source.error());
    return false;
}

bool OfflineFiles::begin(ProcessClock& clock) {
    if (!files_->source.open()) {
        log::error_text(files_->source.error());
        return false;
    }
    files_->network->set_local(files_->source.local());
    clock.go_virtual(files_->source.first_stamp_ns());
    return true;
}

bool OfflineFiles::open_output(const Config& config, const DataOutput& standard_output,
                               ProcessClock& clock, Random& random) {
    files_->sink = std::make_unique<capture::PcapSink>(clock, random, *files_->network);
    if (config.pcap_out.empty()) return true;
    if (files_->sink->open(config.pcap_out == "-" ? standard_output.path() : config.pcap_out))
        return true;
    log::error_text(files_->sink->error());
    return false;
}

int OfflineFiles::run(Config& config, ProcessClock& clock, profile::ListStore& lists,
                      Random& random, const engine::TraceFile* trace, store::Stores& stores) {
    const unsigned count = config.lua_run ? 1 : config.workers;
    CaptureQueues queues(files_->source, *files_->sink, clock);
    Workers workers(config, clock, lists, count);
    workers.shared().use(stores);
    if (!workers.shared().load_rules(random)) return 1;
    for (unsigned i = 0; i < count; i++) {
        Outside outside{*files_->sink, *files_->network, {}, trace};
        if (config.lua_run) outside.queues = &queues;
        if (config.nflua_netlink) outside.messages = &files_->messages;
        workers.add(random, std::move(outside));
    }
    if (!workers.init_lua()) return workers.signals().quit() ? 0 : 1;
    if (config.lua_run)
        return run_offline_script(workers[0], workers, queues, files_->source, *files_->sink);
    return run_offline(workers, files_->source, *files_->sink);
}

#else

struct OfflineFiles::Files {};

OfflineFiles::OfflineFiles() = default;
OfflineFiles::~OfflineFiles() = default;

bool OfflineFiles::open_input(const Config&) {
    log::error("--pcap-in is not available, this program was built without capture file support");
    return false;
}

bool OfflineFiles::begin(ProcessClock&) {
    return false;
}

bool OfflineFiles::open_output(const Config&, const DataOutput&, ProcessClock&, Random&) {
    return false;
}

int OfflineFiles::run(Config&, ProcessClock&, profile::ListStore&, Random&,
                      const engine::TraceFile*, store::Stores&) {
    return exit_capture_error;
}

#endif

} // namespace nfqws2::app
