// Does anybody else use the mark of packets that a daemon makes?
#include "doctor/checks.hpp"

#include <cstdio>

namespace nfqws2::ctl {

void check_marks(const Facts& facts, Findings& findings) {
    for (const Daemon& daemon : facts.daemons) {
        if (!daemon.answers()) continue;
        for (const MarkUse& use : facts.listing.marks) {
            if ((use.mask & daemon.mark()) == 0) continue;
            char mark[16];
            std::snprintf(mark, sizeof mark, "0x%x", daemon.mark());
            findings.push_back(
                {"mark-collision", Gravity::warning,
                 std::string("the bit of the daemon's mark ") + mark + " is used by: " + use.text,
                 "give that rule a mask without this bit, or the daemon another "
                 "--fwmark (service: DESYNC_MARK)",
                 daemon.where()});
            break;
        }
    }
}

} // namespace nfqws2::ctl
