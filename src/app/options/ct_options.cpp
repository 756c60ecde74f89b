#include "options/ct_options.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/base/text.hpp"
#include "options/values.hpp"

#include <algorithm>
#include <bit>

namespace nfqws2::app {
namespace {

constexpr std::uint16_t ftp_port = 21;

struct ModeName {
    const char* name;
    CtMode mode;
};
constexpr ModeName modes[] = {
    {"off", CtMode::off},   {"auto", CtMode::automatic},  {"queue", CtMode::queue},
    {"mark", CtMode::mark}, {"netlink", CtMode::netlink}, {"sim", CtMode::sim},
};

std::vector<std::uint16_t> parse_ports(std::string_view text, const std::string& value) {
    std::vector<std::uint16_t> ports;
    for (const std::string_view item : split(text, '+')) {
        const auto port = parse_uint(item, UINT16_MAX);
        if (!port || *port == 0)
            throw BadValue("bad port in --ct-sim-helper : " + value +
                           " (should be ftp or ftp:PORT+PORT)");
        ports.push_back(static_cast<std::uint16_t>(*port));
    }
    return ports;
}

} // namespace

void set_ct(ParseState& state, const OptionValue& value) {
    for (const ModeName& one : modes) {
        if (*value != one.name) continue;
        state.config.ct = one.mode;
        state.config.ct_given = true;
        return;
    }
    throw BadValue("bad value for --ct: '" + *value + "' (off, auto, queue, mark, netlink or sim)");
}

void set_ct_state_mark(ParseState& state, const OptionValue& value) {
    const std::uint32_t mark = parse_mark(*value);
    const bool adjacent = mark != 0 && mark >> std::countr_zero(mark) == 7;
    if (!adjacent) throw BadValue("--ct-state-mark: three adjacent bits are needed");
    state.config.engine.ct_state_mark = mark;
}

void set_ct_sim_helper(ParseState& state, const OptionValue& value) {
    const std::string_view text = *value;
    const std::size_t colon = text.find(':');
    if (text.substr(0, colon) != "ftp") throw BadValue("--ct-sim-helper: only ftp is simulated");
    state.config.engine.ct_ftp_ports = colon == std::string_view::npos
                                           ? std::vector<std::uint16_t>{ftp_port}
                                           : parse_ports(text.substr(colon + 1), *value);
}

bool uses_ct(const Config& config) {
    return config.engine.ct_state_mark != 0 || config.rules.asks_connection ||
           std::ranges::any_of(config.profiles, [](const auto& profile) {
               return profile->ct.any() ||
                      std::ranges::any_of(profile->instances, [](const auto& instance) {
                          return !instance.ct_state.empty();
                      });
           });
}

void settle_ct(Config& config) {
    if (!config.ct_given && uses_ct(config)) config.ct = CtMode::automatic;
    // A program of its own has queues of its own.
    const bool has_kernel = !config.offline() && (config.intercept || config.lua_run);
    if (config.ct == CtMode::off || has_kernel || config.engine.ct) return;
    config.engine.ct = packet::CtSource::sim;
    if (config.ct != CtMode::sim && config.ct != CtMode::automatic)
        log::status("conntrack facts: simulated: without a queue there is no kernel to ask");
}

const char* ct_complaint(const Config& config, const char** option) {
    const std::uint32_t mark = config.engine.ct_state_mark;
    *option = "ct-state-mark";
    if ((mark & config.engine.desync_fwmark) != 0) return "--ct-state-mark overlaps --fwmark";
    if ((mark & config.offload_mark) != 0) return "--ct-state-mark overlaps --offload-mark";
    *option = "ct";
    if (config.ct == CtMode::off && uses_ct(config))
        return "--ct=off leaves nothing for --filter-ct*, --ct-state and --ct-state-mark to look "
               "at";
    if (config.ct == CtMode::mark && mark == 0) return "--ct=mark needs --ct-state-mark";
    return nullptr;
}

const char* rules_without_ct(const Config& config) {
    if (config.ct != CtMode::off || !config.rules.asks_connection) return nullptr;
    return "'ctstate' and 'ctmark' ask for what --ct=off leaves unknown";
}

} // namespace nfqws2::app
