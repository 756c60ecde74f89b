#include "run/worker_sockets.hpp"

#include "nfqws2/base/log.hpp"

namespace nfqws2::app {
namespace {

capture::LiveQueues::Options script_queues(const Config& config) {
    capture::LiveQueues::Options options;
    options.connections = config.engine.ct == packet::CtSource::queue;
    options.first_taken = config.qnum.value_or(0);
    options.taken = config.intercept && config.qnum ? config.workers : 0;
    return options;
}

} // namespace

WorkerSockets::WorkerSockets(const Config& config, unsigned number, Random& random)
    : random_(random),
      network_([this](std::string_view interface) { return wlan_.ssid(interface); }),
      sender_({config.bind_fix4, config.bind_fix6}), script_queues_(script_queues(config)) {
    queue_options_.number = static_cast<std::uint16_t>(config.qnum.value_or(0) + number);
    // A trace shows packets as they are on the wire.
    queue_options_.take_merged = config.gso && config.trace_file.empty();
    queue_options_.offload_mark = config.offload_mark;
    queue_options_.port_is_process_id = number == 0;
    queue_options_.connections = config.engine.ct == packet::CtSource::queue;
}

Outside WorkerSockets::outside(capture::PacketSender* instead_of_sender) {
    return {instead_of_sender != nullptr ? *instead_of_sender : sender_,
            network_,
            [this](std::string_view interface) { return wlan_.ssid(interface); },
            nullptr,
            ct_requests_ ? &*ct_requests_ : nullptr,
            &script_queues_};
}

bool WorkerSockets::open_ct_requests() {
    const int error = ct_requests_.emplace().open();
    if (error == 0) return true;
    ct_requests_.reset();
    log::os_error("the kernel cannot be asked for connections", error);
    return false;
}

// Verdicts that are held back go first.
bool WorkerSockets::open_sender() {
    sender_.set_before_send([this] {
        queue_.flush();
        script_queues_.flush();
    });
    return sender_.open();
}

bool WorkerSockets::open_queue(bool uses_ssid) {
    if (!queue_.open(queue_options_)) return false;
    if (!uses_ssid || wlan_.open()) return true;
    log::error("cannot initialize wlan info capture");
    return false;
}

void WorkerSockets::close_queue() {
    queue_.close();
}

} // namespace nfqws2::app
