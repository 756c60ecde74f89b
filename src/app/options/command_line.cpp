#include "options/command_line.hpp"

#include "nfqws2/base/log.hpp"
#include "options/ct_options.hpp"
#include "options/help.hpp"
#include "options/option_table.hpp"

#include <cstdlib>
#include <vector>

namespace nfqws2::app {
namespace {

// "nfqws2: option '--qnum' (argument 2): "; what is wrong with a reload is an answer to somebody
// who knows whom was asked.
std::string origin(const ParseState& state, std::size_t position) {
    return std::string(state.reloading ? "" : "nfqws2: ") + "option '--" +
           state.option_at[position] + "' (" + state.arguments->where(position) + "): ";
}

// Throws BadValue.
void apply(const OptionSpec& option, const OptionValue& value, ParseState& state) {
    if (state.reloading && !is_live(option)) return;
    if (const auto* action = std::get_if<GlobalOption>(&option.action)) {
        (*action)(state, value);
        return;
    }
    const std::string argument = value ? *value : option.without_value;
    state.profiles.set_position(state.position);
    if (const auto* method = std::get_if<ProfileOption>(&option.action))
        (state.profiles.**method)(argument);
    else
        state.profiles.filter(*std::get<const profile::FilterRow*>(option.action), argument);
}

struct Complaint {
    const char* option; // "" if it is about none
    std::string text;
};

// What does not concern one option alone.
std::optional<Complaint> complaint(const Config& config) {
    const bool prints_rules = config.print_rules != RulesFormat::none;
    const bool about_rules = prints_rules || config.rules_now.has_value();
    const bool needs_queue =
        about_rules || (config.intercept && !config.offline() && config.explain.empty());
    if (needs_queue && !config.qnum) return {{"", "Need queue number (--qnum), e.g. --qnum=200"}};
    if (needs_queue && *config.qnum + config.workers - 1 > UINT16_MAX)
        return {{"workers", "--workers needs that many queue numbers from --qnum on, up to 65535"}};
    if (config.engine.seeded && needs_queue)
        return {{"seed", "--seed needs --pcap-in or --intercept=0"}};
    if (config.offline() && !config.intercept)
        return {{"pcap-in", "--pcap-in cannot be used with --intercept=0 or --fuzz"}};
    if (!config.offline() && !config.pcap_out.empty())
        return {{"pcap-out", "--pcap-out needs --pcap-in"}};
    if (config.lua_run && config.fuzz_packets != 0)
        return {{"lua-run", "--lua-run and --fuzz cannot be used together"}};
    if (config.check && !config.explain.empty())
        return {{"explain", "--check and --explain cannot be used together"}};
    if (prints_rules && (config.check || !config.explain.empty()))
        return {{"print-rules", "--print-rules cannot be used with --check or --explain"}};
    if (config.rules_now && !config.check && !config.dry_run)
        return {{"rules-now", "--rules-now needs --check"}};
    if (config.rules_stats && config.rules_file.empty())
        return {{"rules-stats", "--rules-stats needs --rules"}};
    if (config.rules_capture && config.rules_file.empty())
        return {{"rules-capture", "--rules-capture needs --rules"}};
    if ((config.rules_export || !config.rules_export_socket.empty()) && config.rules_file.empty())
        return {{"rules-export", "--rules-export needs --rules"}};
    if (config.trace_file == "-" && config.pcap_out == "-")
        return {{"trace", "--trace and --pcap-out cannot both write to standard output"}};
    if ((config.offload_mark & config.engine.desync_fwmark) != 0)
        return {{"offload-mark", "--offload-mark and --fwmark need different bits"}};
    if (config.engine.server && profile::uses_auto_hosts(config.profiles))
        return {{"server", "autohostlists not supported in server mode"}};
    const char* option = nullptr;
    if (const char* text = ct_complaint(config, &option)) return {{option, text}};
    return std::nullopt;
}

// Points at the last option of that name.
[[noreturn]] void refuse(ParseState& state, const Complaint& what) {
    for (std::size_t i = state.option_at.size(); i-- > 0;) {
        if (what.option[0] == '\0' || state.option_at[i] != what.option) continue;
        state.position = i;
        state.failure = what.text;
        throw ConfigError(origin(state, i) + what.text);
    }
    throw ConfigError(what.text);
}

profile::BuiltProfiles finish_profiles(ParseState& state) {
    try {
        return state.profiles.finish();
    } catch (const BadValue& e) {
        refuse(state, {"template", e.what()});
    }
}

int refuse_word(ParseState& state, const std::string& error) {
    state.failure = error;
    tell_warnings(state);
    // The help is long: what was wrong with the word comes after it.
    if (!state.config.dry_run && !state.config.check && !state.reloading)
        log::status_text(help_text());
    const std::string program = state.reloading ? "" : state.arguments->program + ": ";
    log::error_text(program + error + " (" + state.arguments->where(state.position) + ")");
    return 1;
}

// To the program of --lua-run.
void hand_over_words(ParseState& state, std::size_t from) {
    const std::vector<Word>& words = state.arguments->words;
    for (std::size_t i = from; i < words.size(); i++)
        state.config.lua_run->words.push_back(words[i].text);
    std::erase_if(state.ignored, [from](std::size_t at) { return at >= from; });
}

} // namespace

std::optional<int> parse_options(const Arguments& arguments, ParseState& state) {
    OptionParser parser(arguments, option_names(), std::getenv("POSIXLY_CORRECT") != nullptr);
    state.arguments = &arguments;
    state.option_at.resize(arguments.words.size());
    for (;;) {
        const auto step = parser.next();
        if (step == OptionParser::Step::end) break;
        state.position = parser.option().position;
        if (step == OptionParser::Step::error) return refuse_word(state, parser.error());
        const OptionSpec& option = option_table()[parser.option().index];
        state.option_at[state.position] = option.name.name;
        try {
            apply(option, parser.option().value, state);
        } catch (const BadValue& e) {
            state.failure = e.what();
            tell_warnings(state);
            log::error_text(origin(state, state.position) + e.what());
            return 1;
        }
        if (state.exit_code) return state.exit_code;
    }
    state.ignored = parser.ignored();
    if (state.config.lua_run && parser.behind_options())
        hand_over_words(state, *parser.behind_options());
    return std::nullopt;
}

void tell_warnings(const ParseState& state) {
    for (const auto& [position, text] : state.profiles.warnings())
        log::error_text(origin(state, position) + text);
}

void finish_config(ParseState& state) {
    Config& config = state.config;
    profile::BuiltProfiles built = finish_profiles(state);
    config.profiles = std::move(built.profiles);
    config.user_profiles = built.user_profiles;
    config.templates = built.templates;
    config.unused_templates = std::move(built.unused_templates);
    config.list_uses = std::move(built.list_uses);
    for (const auto& profile : config.profiles)
        config.uses_ssid = config.uses_ssid || !profile->ssids.empty();

    config.engine.offline = config.offline();
    if (config.lua_run && !config.offline()) config.intercept = false;
    if (!config.intercept && config.fuzz_packets == 0) config.engine.lua_may_wait = true;
    settle_ct(config);
    if (const auto what = complaint(config)) refuse(state, *what);
}

} // namespace nfqws2::app
