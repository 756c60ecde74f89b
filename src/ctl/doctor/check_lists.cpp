// Are the lists there, filled and fresh?
#include "doctor/checks.hpp"

namespace nfqws2::ctl {
namespace {

constexpr std::int64_t day = 24 * 3600;
constexpr std::int64_t old_days = 30;

} // namespace

void check_lists(const Facts& facts, Findings& findings) {
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
