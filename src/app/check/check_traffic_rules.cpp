#include "check/check_traffic_rules.hpp"

namespace nfqws2::app {

void check_traffic_rules(const Config& config, const ParseState& state, Report& report) {
    if (config.rules_file.empty()) return;
    std::optional<std::size_t> position;
    for (std::size_t i = 0; i < state.option_at.size(); i++)
        if (state.option_at[i] == "rules") position = i;
    for (const std::string& error : config.rules.errors)
        report.add(Level::error, position, error);
    for (const std::string& warning : config.rules.warnings)
        report.add(Level::warning, position, warning);
    for (const std::string& preset : config.rules.presets)
        report.add(Level::notice, position, "preset " + preset);
}

} // namespace nfqws2::app
