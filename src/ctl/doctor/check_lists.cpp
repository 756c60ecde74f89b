// Are the lists there, filled and fresh?
#include "client/sockets.hpp"
#include "doctor/checks.hpp"
#include "list_update.hpp"

namespace nfqws2::ctl {
namespace {

constexpr std::int64_t day = 24 * 3600;
constexpr std::int64_t old_days = 30;

// One failure may be the network's, and is tried again.
void check_update(const Facts& facts, Findings& findings) {
    const std::string file = socket_folder() + "/" + std::string(list_update_name);
    const ListUpdate update = parse_list_update(facts.machine->read(file).value_or(""));
    if (!update.failed()) return;
    findings.push_back({"list-update", update.failures > 1 ? Gravity::warning : Gravity::note,
                        "the last update of the lists failed (" + update.script + ", " +
                            std::to_string(update.failures) +
                            (update.failures == 1 ? " time" : " times in succession") +
                            "): " + update.text,
                        "the lists that are there stay in use; ipset/get_config.sh of the service "
                        "tries it now",
                        file});
}

} // namespace

void check_lists(const Facts& facts, Findings& findings) {
    check_update(facts, findings);
    for (const Daemon& daemon : facts.daemons)
        for (const Json& list : daemon.lists) {
            const std::string file = text_of(member(list, "file"));
            const std::string error = text_of(member(list, "error"));
            const bool automatic = member(list, "automatic") == true;
            if (!error.empty() || member(list, "loaded") == false) {
                findings.push_back(
                    {"list-missing", Gravity::problem,
                     "the list " + file + " cannot be read" + (error.empty() ? "" : ": " + error),
                     "make it readable for the daemon's user, then nfqws2ctl lists "
                     "--reload",
                     file});
                continue;
            }
            if (automatic) continue;
            if (integer_of(member(list, "entries")) == 0)
                findings.push_back({"list-empty", Gravity::warning,
                                    "the list " + file +
                                        " is empty, so its profile takes "
                                        "everything if it has no other one",
                                    "fill it (service: ipset/get_config.sh)", file});
            const auto modified = integer_of(member(list, "modified_at"));
            if (modified && *modified > 0 && facts.now - *modified > old_days * day)
                findings.push_back({"list-old", Gravity::note,
                                    "the list " + file + " is " +
                                        std::to_string((facts.now - *modified) / day) + " days old",
                                    "update it; a list of your own may be as old as it is", file});
        }
}

} // namespace nfqws2::ctl
