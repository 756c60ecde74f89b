// Do the rules show the profiles what they need? The daemon's program has compared both.
#include "doctor/checks.hpp"

namespace nfqws2::ctl {

void check_rules_fit(const Facts& facts, Findings& findings) {
    for (const Daemon& daemon : facts.daemons)
        for (const Json& found : elements(member(daemon.rules_check, "findings"))) {
            if (text_of(member(found, "option")) != "rules-now") continue;
            const std::string text = text_of(member(found, "text"));
            // That is another finding of ours already.
            if (text.starts_with("no rule sends packets")) continue;
            const bool serious = text_of(member(found, "level")) != "notice";
            const bool surplus = text.find("no profile needs it") != std::string::npos;
            if (!serious && !surplus) continue; // what is not compared
            if (serious)
                findings.push_back({"rules-lack", Gravity::warning, text,
                                    "nfqws2 --print-rules and the daemon's options print rules "
                                    "that fit; service: NFQWS2_PORTS_TCP=auto and its like",
                                    daemon.where()});
            else
                findings.push_back({"rules-surplus", Gravity::note, text,
                                    "it costs time and does nothing: leave it out of the rules",
                                    daemon.where()});
        }
}

} // namespace nfqws2::ctl
