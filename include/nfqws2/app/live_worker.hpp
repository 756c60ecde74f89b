// What a worker has of its own beside its engine when packets come from the kernel: a queue, raw
// sockets, sight of the network, randomness.
#pragma once

#include "nfqws2/app/config.hpp"
#include "nfqws2/app/session.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/capture/network_info.hpp"
#include "nfqws2/capture/nfqueue.hpp"
#include "nfqws2/capture/raw_sender.hpp"
#include "nfqws2/capture/wlan.hpp"

#include <memory>
#include <vector>

namespace nfqws2::app {

class LiveWorker {
  public:
    // `random` is the worker's own.
    LiveWorker(const Config& config, unsigned number, Random& random);
    LiveWorker(const LiveWorker&) = delete;
    LiveWorker& operator=(const LiveWorker&) = delete;

    // False: logged.
    bool open_sender() { return sender_.open(); }
    bool open_queue(bool uses_ssid);
    void close_queue();

    Surroundings surroundings(capture::PacketSender* instead_of_sender);
    Random& random() { return random_; }
    capture::NfQueue& queue() { return queue_; }
    const capture::NfQueue::Options& queue_options() const { return queue_options_; }

  private:
    Random& random_;
    capture::WlanInfo wlan_;
    capture::LiveNetworkInfo network_;
    capture::RawSender sender_;
    capture::NfQueue queue_;
    capture::NfQueue::Options queue_options_;
};

using LiveWorkers = std::vector<std::unique_ptr<LiveWorker>>;

// Runs the session's workers, each in a thread, the first in the calling one, until INT or TERM
// came or a queue is lost for good. The queues are open, and closed at the end. Returns the exit
// code.
int run_workers(Session& session, const LiveWorkers& workers);

} // namespace nfqws2::app
