// Who reads the queues, and is it fast enough?
#include "doctor/checks.hpp"

namespace nfqws2::ctl {

void check_owners(const Facts& facts, Findings& findings) {
    for (const Daemon& daemon : facts.daemons) {
        if (!daemon.answers()) continue;
        for (const unsigned queue : daemon.queues()) {
            const QueueOwner* owner = facts.owner(queue);
            const std::string where = "queue " + std::to_string(queue);
            if (owner == nullptr) {
                if (facts.kernel_queues)
                    findings.push_back(
                        {"queue-unread", Gravity::problem, "the daemon does not read its " + where,
                         "it may run in another network namespace; start it again", where});
                continue;
            }
            // With several workers the further sockets have numbers that are no pids.
            const Process* process = facts.process(owner->port);
            if (process != nullptr && process->pid != daemon.pid() && owner->port > 0)
                findings.push_back({"queue-taken", Gravity::problem,
                                    where + " is read by '" + process->name + "' (pid " +
                                        std::to_string(process->pid) + ")",
                                    "stop that program, or give one of both another queue", where});
            const auto tell = [&](std::uint64_t packets, const char* what) {
                if (packets == 0) return;
                findings.push_back(
                    {"queue-losses", Gravity::warning,
                     std::to_string(packets) + " packets " + what + " because the queue was full",
                     "queue fewer packets (--out-range, smaller counts in the "
                     "rules), or use --workers",
                     where});
            };
            tell(static_cast<std::uint64_t>(daemon.lost(queue)), "passed untreated");
            tell(owner->dropped, "were dropped");
        }
    }
}

} // namespace nfqws2::ctl
