// Do daemons run, and do they answer?
#include "doctor/checks.hpp"

#include <set>

namespace nfqws2::ctl {
namespace {

bool is_daemon(const Process& process) {
    return process.name == "nfqws2";
}

// A daemon in the background and the process that has started it are one.
std::set<std::string> programs(const Facts& facts) {
    std::set<std::string> found;
    for (const Process& process : facts.processes)
        if (is_daemon(process) && !process.program.empty()) found.insert(process.program);
    return found;
}

void check_same_queue(const Facts& facts, Findings& findings) {
    std::set<unsigned> seen;
    for (const Daemon& daemon : facts.daemons)
        for (const unsigned queue : daemon.queues())
            if (!seen.insert(queue).second)
                findings.push_back({"two-instances", Gravity::problem,
                                    "two daemons want queue " + std::to_string(queue),
                                    "stop one of them, or give it another --qnum",
                                    "queue " + std::to_string(queue)});
}

// Other programs that change the same packets.
void check_others(const Facts& facts, Findings& findings) {
    static const std::set<std::string> known = {
        "nfqws", "tpws", "ciadpi", "byedpi", "spoofdpi", "youtubeUnblock", "greentunnel"};
    for (const Process& process : facts.processes)
        if (known.contains(process.name))
            findings.push_back({"other-program", Gravity::warning,
                                "'" + process.name + "' (pid " + std::to_string(process.pid) +
                                    ") runs too, and may change the same packets",
                                "stop it, or keep their ports apart",
                                "pid " + std::to_string(process.pid)});
}

} // namespace

void check_daemons(const Facts& facts, Findings& findings) {
    bool any = false;
    for (const Daemon& daemon : facts.daemons) {
        any = any || daemon.answers();
        if (daemon.answers()) continue;
        findings.push_back({"daemon-silent", Gravity::problem,
                            "no answer at " + daemon.socket + ": " + daemon.error,
                            "look into its log; start it again", daemon.socket});
    }
    bool runs = false;
    for (const Process& process : facts.processes)
        runs = runs || is_daemon(process);
    if (!any && !runs)
        findings.push_back({"no-daemon", Gravity::problem, "no nfqws2 runs",
                            "start the service, and look into its log if it ends again"});
    else if (!any)
        findings.push_back({"no-socket", Gravity::warning,
                            "nfqws2 runs without a control socket, so little can be checked",
                            "start it with --control=/run/zapret2/nfqws2-QNUM.sock"});
    if (const auto found = programs(facts); found.size() > 1) {
        std::string text;
        for (const std::string& program : found)
            text += (text.empty() ? "" : ", ") + program;
        findings.push_back({"two-installations", Gravity::warning,
                            "nfqws2 runs from several places: " + text,
                            "stop the service of one installation and remove it"});
    }
    check_same_queue(facts, findings);
    check_others(facts, findings);
    for (const Daemon& daemon : facts.daemons) {
        const std::string last = text_of(member(member(daemon.status, "last_error"), "text"));
        if (!last.empty())
            findings.push_back({"daemon-errors", Gravity::note,
                                "the daemon has reported errors, the last: " + last,
                                "nfqws2ctl status shows the others", daemon.where()});
    }
}

} // namespace nfqws2::ctl
