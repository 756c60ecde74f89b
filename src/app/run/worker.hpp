// A worker: an engine with what its loop needs, beside what it shares with the others. The loops
// (queue_loop, timer_loop, offline_loop) take one or, offline, all of them.
#pragma once

#include "nfqws2/base/random.hpp"
#include "nfqws2/capture/network_info.hpp"
#include "nfqws2/capture/nfqueue.hpp"
#include "nfqws2/engine/engine.hpp"
#include "nfqws2/engine/trace.hpp"
#include "nfqws2/lua/services.hpp"
#include "run/bell.hpp"
#include "run/errands.hpp"
#include "run/shared.hpp"

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace nfqws2::control {
class Server;
}

namespace nfqws2::app {

class Reloader;

// What a worker sees of the world, and who watches it.
struct Outside {
    capture::PacketSender& sender;
    capture::NetworkInfo& network;
    std::function<std::string_view(std::string_view)> ssid_of;
    const engine::TraceFile* trace = nullptr;
    capture::CtRequests* ct_requests = nullptr; // the kernel's connections, if they are asked for
    capture::QueueDoor* queues = nullptr;       // for scripts
    capture::MessageSender* messages = nullptr; // of scripts; nullptr: off
};

struct Worker : lua::OrderlyEnd {
    Worker(Shared& common, unsigned number, Random& random, Outside outside);
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    bool request(int exit_code) override; // once it is in its loop

    Shared& shared;
    const unsigned number;   // 0 is the main thread, which does what is to be done once
    const std::string label; // of its log lines, "" if there is one worker only
    profile::ProfileSet profiles;
    std::optional<engine::Trace> trace;
    engine::Engine engine;
    Bell bell;
    std::uint64_t rules_generation = 0;      // of the rules it has
    std::atomic<bool> dump{false};           // asked to print its flows
    Worker* next = nullptr;                  // prints after this one
    bool loops = false;                      // it ends when the program is to end
    const capture::NfQueue* queue = nullptr; // while packets come from one
    control::Server* control = nullptr;      // of the first worker: who may ask
    Reloader* reloader = nullptr;            // likewise: reads the options again
    std::function<void()> take_code;         // likewise, with --lua-control
    Errands errands;                         // that clients of the control socket ask of this one
};

// What log lines of a worker begin with, "" if it is the only one.
std::string worker_label(unsigned worker, unsigned workers);

} // namespace nfqws2::app
