#include "start/ct_start.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/capture/ct_netlink.hpp"

#include <cerrno>
#include <cstring>

namespace nfqws2::app {
namespace {

using packet::CtSource;

int netlink_refused() {
    return capture::CtNetlink().open();
}

void take_simulation(Config& config, const char* reason) {
    config.engine.ct = CtSource::sim;
    log::status("conntrack facts: simulated: %s", reason);
    if (config.rules.asks_connection)
        log::error("rules with 'ctstate' or 'ctmark': simulated connections do not see the packets "
                   "that rules accept");
}

void take_mark(Config& config) {
    config.engine.ct = CtSource::mark;
    log::status("conntrack facts: from mark bits 0x%08x, details by netlink",
                config.engine.ct_state_mark);
}

void take_queue(Config& config) {
    config.engine.ct = CtSource::queue;
    log::status("conntrack facts: from the queue");
}

bool choose_named(Config& config) {
    switch (config.ct) {
    case CtMode::queue:
        if (const int error = capture::ct_of_queue_refused()) {
            if (error == EOPNOTSUPP || error == EINVAL)
                log::error("--ct=queue: the kernel does not add connections to queued packets "
                           "(NETFILTER_NETLINK_GLUE_CT)");
            else
                log::os_error("--ct=queue", error);
            return false;
        }
        take_queue(config);
        return true;
    case CtMode::mark:
        take_mark(config);
        return true;
    case CtMode::netlink:
        if (const int error = netlink_refused()) {
            log::os_error("--ct=netlink: the kernel cannot be asked for connections", error);
            return false;
        }
        config.engine.ct = CtSource::netlink;
        log::status("conntrack facts: by netlink");
        return true;
    case CtMode::off:
    case CtMode::automatic:
    case CtMode::sim:
        break;
    }
    take_simulation(config, "--ct=sim");
    return true;
}

} // namespace

bool choose_ct_source(Config& config) {
    if (config.ct == CtMode::off || config.engine.ct) return true;
    if (config.ct != CtMode::automatic) return choose_named(config);
    if (capture::ct_of_queue_refused() == 0) {
        take_queue(config);
        return true;
    }
    if (config.engine.ct_state_mark != 0) {
        take_mark(config);
        return true;
    }
    if (const int error = netlink_refused()) {
        take_simulation(config, std::strerror(error));
        return true;
    }
    config.engine.ct = CtSource::netlink;
    log::status("conntrack facts: by netlink, this kernel does not add them to packets");
    return true;
}

bool needs_ct_requests(const Config& config) {
    return config.engine.ct && *config.engine.ct != CtSource::sim;
}

} // namespace nfqws2::app
