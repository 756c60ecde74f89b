#include "check/check_traffic_rules.hpp"

namespace nfqws2::app {

std::shared_ptr<const rules::InForce> check_traffic_rules(Config& config, const ParseState& state,
                                                          Report& report) {
    if (config.rules_file.empty()) return nullptr;
    std::optional<std::size_t> position;
    for (std::size_t i = 0; i < state.option_at.size(); i++)
        if (state.option_at[i] == "rules") position = i;
    for (const std::string& error : config.rules.errors)
        report.add(Level::error, position, error);
    for (const std::string& warning : config.rules.warnings)
        report.add(Level::warning, position, warning);
    std::string error;
    std::vector<std::string> bad_lines;
    std::shared_ptr<const rules::InForce> read;
    if (config.rules.program != nullptr) {
        read = rules::read_data(config.rules.program, std::move(config.rules_databases), &error,
                                &bad_lines);
        if (read == nullptr) report.add(Level::error, position, error);
    }
    for (const std::string& line : bad_lines)
        report.add(Level::warning, position, line);
    if (config.rules.captures && !config.rules_capture)
        report.add(Level::warning, position, "'capture' writes nothing without --rules-capture");
    if (config.rules.exports && !config.rules_export && config.rules_export_socket.empty())
        report.add(Level::warning, position, "'export' writes nothing without --rules-export");
    const bool simulated = config.ct == CtMode::sim || config.engine.ct == packet::CtSource::sim;
    if (config.rules.asks_connection && simulated)
        report.add(Level::notice, position,
                   "simulated connections do not see the packets that rules accept");
    for (const std::string& preset : config.rules.presets)
        report.add(Level::notice, position, "preset " + preset);
    return read;
}

} // namespace nfqws2::app
