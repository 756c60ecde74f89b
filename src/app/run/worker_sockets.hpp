// What a worker has of its own beside its engine when packets come from the kernel: the sockets of
// its queue, for what it sends, and for what it asks of the network.
#pragma once

#include "nfqws2/base/random.hpp"
#include "nfqws2/capture/ct_netlink.hpp"
#include "nfqws2/capture/live_queues.hpp"
#include "nfqws2/capture/network_info.hpp"
#include "nfqws2/capture/nfqueue.hpp"
#include "nfqws2/capture/raw_sender.hpp"
#include "nfqws2/capture/wlan.hpp"
#include "options/config.hpp"
#include "run/worker.hpp"

#include <optional>

namespace nfqws2::app {

class WorkerSockets {
  public:
    // `random` is the worker's own.
    WorkerSockets(const Config& config, unsigned number, Random& random);
    WorkerSockets(const WorkerSockets&) = delete;
    WorkerSockets& operator=(const WorkerSockets&) = delete;

    // False: logged.
    bool open_ct_requests();
    bool open_sender();
    bool open_queue(bool uses_ssid);
    void close_queue();

    Outside outside(capture::PacketSender* instead_of_sender);
    Random& random() { return random_; }
    capture::NfQueue& queue() { return queue_; }
    const capture::NfQueue::Options& queue_options() const { return queue_options_; }

  private:
    Random& random_;
    capture::WlanInfo wlan_;
    capture::LiveNetworkInfo network_;
    capture::RawSender sender_;
    std::optional<capture::CtNetlink> ct_requests_; // if they are needed
    capture::LiveQueues script_queues_;
    capture::NfQueue queue_;
    capture::NfQueue::Options queue_options_;
};

} // namespace nfqws2::app
