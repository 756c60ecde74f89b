#include "nfqws2/app/command_line.hpp"

#include "nfqws2/app/values.hpp"
#include "nfqws2/base/log.hpp"

#include <cstdlib>

namespace nfqws2::app {
namespace {

// Throws BadValue.
void apply(const OptionSpec& option, const OptionValue& value, ParseState& state) {
    if (const auto* action = std::get_if<GlobalOption>(&option.action)) {
        (*action)(state, value);
        return;
    }
    std::string error;
    const auto method = std::get<ProfileOption>(option.action);
    state.profiles.set_position(state.position);
    if (!(state.profiles.*method)(value ? *value : option.without_value, &error))
        throw BadValue(error);
}

// What does not concern one option alone; the first complaint or "".
std::string complaint(const Config& config) {
    const bool needs_queue = config.intercept && !config.offline() && config.explain.empty();
    if (needs_queue && !config.qnum) return "Need queue number (--qnum)";
    if (config.engine.seeded && needs_queue) return "--seed needs --pcap-in or --intercept=0";
    if (config.offline() && !config.intercept)
        return "--pcap-in cannot be used with --intercept=0 or --fuzz";
    if (!config.offline() && !config.pcap_out.empty()) return "--pcap-out needs --pcap-in";
    if (config.check && !config.explain.empty())
        return "--check and --explain cannot be used together";
    if (config.trace_file == "-" && config.pcap_out == "-")
        return "--trace and --pcap-out cannot both write to standard output";
    if (config.engine.server && profile::uses_auto_hosts(config.profiles))
        return "autohostlists not supported in server mode";
    return "";
}

} // namespace

std::optional<int> parse_options(const Arguments& arguments, ParseState& state) {
    OptionParser parser(arguments, option_names(), std::getenv("POSIXLY_CORRECT") != nullptr);
    state.option_at.resize(arguments.words.size());
    for (;;) {
        const auto step = parser.next();
        if (step == OptionParser::Step::end) return std::nullopt;
        state.position = parser.option().position;
        if (step == OptionParser::Step::error) {
            state.failed = true;
            log::error("%s: %s", arguments.program.c_str(), parser.error().c_str());
            if (!state.config.dry_run && !state.config.check) log::status_text(help_text());
            return 1;
        }
        const OptionSpec& option = option_table()[parser.option().index];
        state.option_at[state.position] = option.name.name;
        try {
            apply(option, parser.option().value, state);
        } catch (const BadValue& e) {
            state.failed = true;
            log::error("nfqws2: option '--%s' (%s): %s", option.name.name,
                       arguments.where(parser.option().position).c_str(), e.what());
            return 1;
        }
        if (state.exit_code) return state.exit_code;
    }
}

void finish_config(ParseState& state) {
    Config& config = state.config;
    std::string error;
    auto built = state.profiles.finish(&error);
    if (!built) throw ConfigError(error);
    config.profiles = std::move(built->profiles);
    config.user_profiles = built->user_profiles;
    config.templates = built->templates;
    config.unused_templates = std::move(built->unused_templates);
    config.list_uses = std::move(built->list_uses);
    for (const auto& profile : config.profiles)
        config.uses_ssid = config.uses_ssid || !profile->ssids.empty();

    error = complaint(config);
    if (!error.empty()) throw ConfigError(error);
}

} // namespace nfqws2::app
