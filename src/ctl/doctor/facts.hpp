// What the checks look at, gathered once.
#pragma once

#include "doctor/finding.hpp"
#include "doctor/machine.hpp"
#include "doctor/queue_rules.hpp"
#include "json.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nfqws2::ctl {

// A daemon that answers at its control socket.
struct Daemon { // NOLINT(bugprone-exception-escape): the move of Json does not throw
    std::string socket;
    std::string error;  // why it does not
    Json status, total; // of `status` and `counters`
    std::vector<Json> workers, profiles, lists;
    // What --check --rules-now says of its options and the rules that are there; null: not known.
    Json rules_check;

    bool answers() const { return error.empty(); }
    std::int64_t pid() const;
    std::vector<unsigned> queues() const;
    std::int64_t lost(unsigned queue) const; // packets that passed it because the queue was full
    std::string options() const { return text_of(member(status, "options")); }
    std::uint32_t mark() const; // of packets that it makes
    std::string where() const;  // "queue 300"
};

struct QueueOwner {
    unsigned queue = 0;
    std::int64_t port = 0; // mostly the pid
    // Where the reader has not asked for such packets to pass, as ours does if the kernel can
    // (from 3.6 on); of those that pass the kernel keeps no count here.
    std::uint64_t dropped = 0;
};

// One whose packets are ours: those of containers with a network of their own are left out.
struct Process {
    std::int64_t pid = 0;
    std::string name, program; // program: "" if it may not be known
};

// One of the routes without a destination.
struct DefaultRoute {
    std::string device;
    std::uint64_t mtu = 0; // 0: not known
};

struct Facts {
    const Machine* machine = nullptr;
    std::vector<Daemon> daemons;
    bool kernel_queues = false; // the kernel has queues at all
    std::vector<QueueOwner> owners;
    std::vector<Process> processes;
    std::vector<DefaultRoute> routes;
    bool rules_known = false; // a tool could list them
    Listing listing;
    std::int64_t now = 0; // seconds since 1970

    const QueueOwner* owner(unsigned queue) const;
    const Process* process(std::int64_t pid) const;
};

// `ask` asks a daemon for all lines of an answer; throws Failure.
using Ask = std::function<std::vector<Json>(const std::string& socket, const Json& request)>;
Facts gather(const Machine& machine, const std::vector<std::string>& sockets, const Ask& ask);

} // namespace nfqws2::ctl
