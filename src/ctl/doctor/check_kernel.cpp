#include "doctor/checks.hpp"

namespace nfqws2::ctl {

void check_kernel(const Facts& facts, Findings& findings) {
    if (!facts.kernel_queues)
        findings.push_back(
            {"kernel-no-queues", Gravity::problem,
             "the kernel has no packet queues (nfnetlink_queue)",
             "load the module nfnetlink_queue; OpenWrt: install kmod-nfnetlink-queue "
             "and kmod-nft-queue or iptables-mod-nfqueue"});
    for (const Daemon& daemon : facts.daemons) {
        const auto landlock = integer_of(member(member(daemon.status, "features"), "landlock"));
        if (landlock != 0) continue;
        findings.push_back({"kernel-no-landlock", Gravity::note,
                            "the kernel has no Landlock, so scripts of the daemon are kept from "
                            "files by their user alone",
                            "a kernel from 5.13 on with CONFIG_SECURITY_LANDLOCK, and landlock in "
                            "the list of the boot option lsm="});
        return;
    }
}

} // namespace nfqws2::ctl
