#include "options/option_actions.hpp"

#include "nfqws2/base/answers.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/base/output_file.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/flow/past_hosts.hpp"
#include "nfqws2/protocol/name_hint.hpp"
#include "options/help.hpp"
#include "options/values.hpp"
#include "run/signals.hpp"
#include "version.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace nfqws2::app {
namespace {

constexpr std::uint64_t max_call_ms = 86'400'000, max_memory_mb = 1'048'576;

std::uint64_t number(const OptionValue& value, std::uint64_t max, const std::string& error) {
    const auto n = decimal(*value, max);
    if (!n) throw BadValue(error + " : " + *value);
    return *n;
}

void debug_to_file(const std::string& path) {
    const std::string full = output_path(path);
    std::string why;
    if (!log::set_target_file(full, &why))
        throw BadValue("cannot create " + full + " (" + why + ")");
}

// Independent of a later --chdir. That the file cannot be opened is found out when it is tried,
// because a capture error has its own exit code.
std::string capture_path(const OptionValue& value) {
    if (value->empty()) throw BadValue("needs the name of a capture file");
    return *value == "-" ? "-" : full_path(*value).value_or(*value);
}

protocol::DisableSet disable_set(const OptionValue& value, const char* error) {
    protocol::DisableSet result;
    if (!value) {
        result.disable_every();
        return result;
    }
    std::string bad;
    const auto set = protocol::parse_payload_set(*value, &bad);
    if (!set)
        throw BadValue(std::string(error) + " : " + *value + protocol::payload_name_hint(bad));
    result.set(*set);
    return result;
}

const std::vector<std::string_view> kernel_words = {"conntrack", "queue", "netlink"};

std::string_view kernel_word_meant_by(std::string_view word) {
    const std::string_view best = nearest(word, kernel_words);
    if (!best.empty() || word.empty()) return best;
    for (const std::string_view known : kernel_words)
        if (known.starts_with(word)) return known;
    return "";
}

// For a value that names no file and was perhaps to be words of the kernel.
std::string kernel_word_hint(const std::string& value) {
    std::string meant, unknown;
    for (const std::string_view word : split(value, ',')) {
        const std::string_view best = kernel_word_meant_by(word);
        if (!best.empty())
            meant += (meant.empty() ? "" : ",") + std::string(best);
        else if (!word.empty())
            unknown = word;
    }
    if (meant.empty()) return "";
    if (unknown.empty()) return " (did you mean '" + meant + "'?)";
    return " ('" + unknown + "' is none of conntrack, queue, netlink)";
}

// False: not every word between the commas is one of these.
bool allow_kernel(const std::string& value, lua::KernelAccess& access) {
    for (const std::string_view word : split(value, ',')) {
        if (word == "conntrack")
            access.conntrack = true;
        else if (word == "queue")
            access.queue = true;
        else if (word == "netlink")
            access.netlink = true;
        else
            return false;
    }
    return true;
}

} // namespace

void ignore_option(ParseState&, const OptionValue&) {
}

void set_debug(ParseState& state, const OptionValue& value) {
    bool on = true;
    if (!value) {
        log::set_target_console();
    } else if (*value == "syslog") {
        log::set_target_syslog();
    } else if (value->starts_with('@')) {
        debug_to_file(value->substr(1));
    } else if (value->starts_with('0') || value->starts_with('1')) {
        on = decimal(*value, UINT32_MAX).value_or(1) != 0;
        on ? log::set_target_console() : log::set_target_none();
    } else {
        throw BadValue("invalid debug mode : " + *value + " (should be 0, 1, syslog or @file)");
    }
    state.config.engine.debug = on;
}

void set_dry_run(ParseState& state, const OptionValue&) {
    state.config.dry_run = true;
}

void set_version(ParseState& state, const OptionValue&) {
    log::answer_text(version_text() + "\n\n" + build_text());
    state.exit_code = 0;
}

void set_help(ParseState& state, const OptionValue&) {
    log::answer_text(help_text());
    state.exit_code = 0;
}

void set_intercept(ParseState& state, const OptionValue& value) {
    state.config.intercept = parse_flag(value);
}

void set_fuzz(ParseState& state, const OptionValue& value) {
    state.config.fuzz_packets =
        static_cast<unsigned>(number(value, UINT32_MAX, "bad packet count, should be a number"));
    state.config.intercept = false;
}

void set_qnum(ParseState& state, const OptionValue& value) {
    state.config.qnum =
        static_cast<std::uint16_t>(number(value, UINT16_MAX, "bad qnum, should be 0..65535"));
    state.config.engine.qnum = *state.config.qnum;
}

void set_workers(ParseState& state, const OptionValue& value) {
    const std::string error = "workers must be 1.." + std::to_string(max_workers);
    state.config.workers = static_cast<unsigned>(number(value, max_workers, error));
    if (state.config.workers == 0) throw BadValue(error + " : " + *value);
}

void set_bind_fix4(ParseState& state, const OptionValue&) {
    state.config.bind_fix4 = true;
}

void set_bind_fix6(ParseState& state, const OptionValue&) {
    state.config.bind_fix6 = true;
}

void set_fwmark(ParseState& state, const OptionValue& value) {
    state.config.engine.desync_fwmark = parse_fwmark(*value);
}

void set_gso(ParseState& state, const OptionValue& value) {
    state.config.gso = parse_flag(value);
}

void set_offload_mark(ParseState& state, const OptionValue& value) {
    state.config.offload_mark = parse_fwmark(*value);
    if (!std::has_single_bit(state.config.offload_mark))
        throw BadValue("offload-mark should be a single bit : " + *value);
    state.config.engine.offload = true;
    state.config.engine.offload_mark = state.config.offload_mark;
}

void set_daemon(ParseState& state, const OptionValue&) {
    state.config.daemon = true;
    state.config.engine.daemon = true;
}

void change_dir(ParseState&, const OptionValue& value) {
    const char* exe_dir = std::getenv("EXEDIR");
    if (!value && exe_dir == nullptr) throw BadValue("chdir: directory unknown");
    const std::string dir = value ? *value : exe_dir;
    if (chdir(dir.c_str()) != 0)
        throw BadValue("chdir: " + std::string(std::strerror(errno)) + " '" + dir + "'");
}

void set_pidfile(ParseState& state, const OptionValue& value) {
    state.config.pidfile = output_path(*value);
}

void set_control(ParseState& state, const OptionValue& value) {
    state.config.control = output_path(*value);
    state.config.engine.past_hosts = flow::PastHosts::usual; // for whom may ask
}

void set_control_group(ParseState& state, const OptionValue& value) {
    state.config.control_group = parse_group(*value);
}

void set_reload_on_hup(ParseState& state, const OptionValue&) {
    state.config.reload_on_hup = true;
}

void set_user(ParseState& state, const OptionValue& value) {
    state.config.privileges = parse_user(*value, state.config.privileges);
}

void set_uid(ParseState& state, const OptionValue& value) {
    state.config.privileges = parse_uid(*value, state.config.privileges);
}

void set_writable(ParseState& state, const OptionValue& value) {
    state.config.writable = true;
    state.config.writable_dir.clear();
    if (!value || value->empty()) return;
    const OutputPlace place = find_output_place(output_path(*value), LastLink::follow);
    if (!place.directory) throw BadValue("bad file '" + *value + "' (" + place.error + ")");
    state.config.writable_dir = place.path;
}

void set_state_dir(ParseState& state, const OptionValue& value) {
    state.config.state_dir = value->empty() ? "" : output_path(*value);
}

void set_state_interval(ParseState& state, const OptionValue& value) {
    constexpr std::uint64_t longest = 7 * 24 * 3600;
    const std::uint64_t seconds = number(value, longest, "state-interval must be 1..604800");
    if (seconds == 0) throw BadValue("state-interval must be 1..604800 : 0");
    state.config.state_interval_s = static_cast<unsigned>(seconds);
}

void set_store_max(ParseState& state, const OptionValue& value) {
    const std::uint64_t records = number(value, 1'000'000, "store-max must be 1..1000000");
    if (records == 0) throw BadValue("store-max must be 1..1000000 : 0");
    state.config.stores.records = static_cast<std::size_t>(records);
}

void set_sandbox(ParseState& state, const OptionValue& value) {
    if (*value == "off")
        state.config.sandbox = sandbox::Mode::off;
    else if (*value == "report")
        state.config.sandbox = sandbox::Mode::report;
    else if (*value == "enforce" || *value == "require")
        state.config.sandbox = sandbox::Mode::enforce;
    else
        throw BadValue("invalid value : " + *value +
                       " (should be off, report, enforce or require)");
    state.config.sandbox_required = *value == "require";
}

// What does not exist cannot be given to the kernel, and would be missing without a word.
void set_lua_control(ParseState& state, const OptionValue& value) {
    constexpr std::string_view all = ",all";
    std::string_view path = *value;
    state.config.lua_control_all = path.ends_with(all);
    if (state.config.lua_control_all) path.remove_suffix(all.size());
    if (path.empty()) throw BadValue("lua-control: the path is missing");
    state.config.lua_control = output_path(std::string(path));
}

// Where it is right, nothing else is read (control/code_door.hpp).
void refuse_lua_send(ParseState&, const OptionValue&) {
    throw BadValue("lua-send: --lua-send=PATH, then code or @file, and nothing else");
}

void set_nflua_netlink(ParseState& state, const OptionValue& value) {
    constexpr std::uint64_t last_protocol = 31;
    state.config.nflua_netlink.reset();
    if (*value == "off") return;
    state.config.nflua_netlink = static_cast<int>(
        number(value, last_protocol, "invalid nflua-netlink value, should be off or 0..31"));
}

// Words of the kernel, or a path: a file of such a name is written ./conntrack.
void add_lua_allow(ParseState& state, const OptionValue& value) {
    lua::KernelAccess access = state.config.engine.lua_kernel;
    if (allow_kernel(*value, access)) {
        state.config.engine.lua_kernel = access;
        return;
    }
    char* real = realpath(value->c_str(), nullptr);
    if (real == nullptr)
        throw BadValue("cannot access " + *value + " (" + std::strerror(errno) + ")" +
                       kernel_word_hint(*value));
    state.config.lua_allow.emplace_back(real);
    std::free(real);
}

void set_ctrack_timeouts(ParseState& state, const OptionValue& value) {
    state.config.engine.ctrack = parse_ctrack_timeouts(*value, state.config.engine.ctrack);
}

void set_ctrack_disable(ParseState& state, const OptionValue& value) {
    state.config.engine.ctrack_disable = parse_flag(value);
}

void set_ctrack_max(ParseState& state, const OptionValue& value) {
    state.config.engine.ctrack.max_tracks = static_cast<std::size_t>(
        number(value, UINT32_MAX, "invalid ctrack-max value, should be a number of flows"));
}

void set_mem_limit(ParseState& state, const OptionValue& value) {
    const std::uint64_t megabytes = number(value, max_memory_mb, "mem-limit must be 0..1048576");
    constexpr std::uint64_t most = SIZE_MAX / MemoryBudget::megabyte; // 32 bits: below 4096
    const auto bytes = static_cast<std::size_t>(std::min(megabytes, most)) * MemoryBudget::megabyte;
    if (bytes != 0 && bytes < MemoryBudget::least)
        throw BadValue("mem-limit must be 0 or at least 24 : " + *value);
    state.config.memory_limit = bytes;
}

void set_payload_disable(ParseState& state, const OptionValue& value) {
    state.config.engine.payload_disable = disable_set(value, "Invalid payload filter");
}

void set_reasm_disable(ParseState& state, const OptionValue& value) {
    state.config.engine.reasm_disable = disable_set(value, "Invalid l7 protocol list");
}

void set_fastpath_workaround(ParseState& state, const OptionValue& value) {
    using engine::FastpathWorkaround;
    FastpathWorkaround& workaround = state.config.engine.fastpath_workaround;
    if (!value || *value == "1")
        workaround = FastpathWorkaround::on;
    else if (*value == "auto")
        workaround = FastpathWorkaround::automatic;
    else if (*value == "0")
        workaround = FastpathWorkaround::off;
    else
        throw BadValue("invalid value : " + *value + " (should be 0, 1 or auto)");
}

void set_server(ParseState& state, const OptionValue& value) {
    state.config.engine.server = parse_flag(value);
}

void set_ipcache_lifetime(ParseState& state, const OptionValue& value) {
    state.config.engine.ipcache_lifetime = static_cast<std::uint32_t>(
        number(value, UINT32_MAX, "invalid ipcache-lifetime value, should be seconds"));
}

void set_ipcache_hostname(ParseState& state, const OptionValue& value) {
    state.config.engine.ipcache_hostname = parse_flag(value);
}

void add_blob(ParseState& state, const OptionValue& value) {
    auto& blobs = state.config.engine.blobs;
    BlobSource source = open_blob(*value, blobs);
    blobs.push_back(std::move(source.blob));
    if (source.file)
        state.blob_files.push_back({std::move(source), blobs.size() - 1, state.position});
}

void add_lua_init(ParseState& state, const OptionValue& value) {
    state.config.engine.lua_init.push_back(parse_lua_code(*value, "lua-init"));
    state.config.lua_init_positions.push_back(state.position);
}

void set_lua_run(ParseState& state, const OptionValue& value) {
    Config& config = state.config;
    if (config.lua_run) throw BadValue("may be given once");
    config.lua_run.emplace().code = parse_lua_code(*value, "lua-run");
    config.lua_run_position = state.position;
    config.engine.lua_kernel = {true, true, true};
    config.engine.lua_may_wait = true;
}

void set_lua_reload(ParseState& state, const OptionValue&) {
    state.config.lua_reload = true;
}

void set_lua_gc(ParseState& state, const OptionValue& value) {
    state.config.engine.lua_gc_s =
        static_cast<unsigned>(number(value, INT32_MAX, "lua-gc must be >=0"));
}

void set_lua_call_limit(ParseState& state, const OptionValue& value) {
    state.config.engine.lua_call_ms =
        static_cast<unsigned>(number(value, max_call_ms, "lua-call-limit must be 0..86400000"));
}

void set_lua_wait_limit(ParseState& state, const OptionValue& value) {
    state.config.engine.lua_wait_ms =
        static_cast<unsigned>(number(value, max_call_ms, "lua-wait-limit must be 0..86400000"));
}

void set_lua_mem_limit(ParseState& state, const OptionValue& value) {
    state.config.engine.lua_memory_mb =
        static_cast<unsigned>(number(value, max_memory_mb, "lua-mem-limit must be 0..1048576"));
}

void set_pcap_in(ParseState& state, const OptionValue& value) {
    state.config.pcap_in = capture_path(value);
}

void set_pcap_out(ParseState& state, const OptionValue& value) {
    state.config.pcap_out = capture_path(value);
}

void set_pcap_local(ParseState& state, const OptionValue& value) {
    state.config.pcap_local = parse_networks(*value);
}

void set_pcap_ifname(ParseState& state, const OptionValue& value) {
    constexpr std::size_t max_name = 15; // IFNAMSIZ without the final zero
    if (value->empty() || value->size() > max_name)
        throw BadValue("interface name should have 1..15 characters : " + *value);
    state.config.pcap_ifname = *value;
}

void set_pcap_in_mark(ParseState& state, const OptionValue& value) {
    state.config.pcap_mark = parse_mark(*value);
}

void set_seed(ParseState& state, const OptionValue& value) {
    state.config.engine.seed = number(value, UINT64_MAX, "invalid seed, should be 0..2^64-1");
    state.config.engine.seeded = true;
}

void set_trace(ParseState& state, const OptionValue& value) {
    if (value->empty()) throw BadValue("needs the name of a file");
    state.config.trace_file = *value == "-" ? "-" : output_path(*value);
}

void set_check(ParseState& state, const OptionValue& value) {
    if (value && *value != "json")
        throw BadValue("invalid value : " + *value + " (should be json)");
    state.config.check = true;
    state.config.check_json = value.has_value();
}

void add_explain(ParseState& state, const OptionValue& value) {
    state.config.explain.push_back(parse_explain(*value));
}

void set_explain_json(ParseState& state, const OptionValue&) {
    state.config.explain_json = true;
}

void set_print_rules(ParseState& state, const OptionValue& value) {
    RulesFormat& format = state.config.print_rules;
    if (*value == "nft")
        format = RulesFormat::nft;
    else if (*value == "iptables")
        format = RulesFormat::iptables;
    else if (*value == "json")
        format = RulesFormat::json;
    else if (*value == "service")
        format = RulesFormat::service;
    else
        throw BadValue("invalid value : " + *value + " (should be nft, iptables, json or service)");
}

void set_rules_now(ParseState& state, const OptionValue& value) {
    if (value && value->empty()) throw BadValue("needs the name of a file");
    state.config.rules_now = !value || *value == "-" ? "-" : full_path(*value).value_or(*value);
}

void set_hostlist_auto_debug(ParseState& state, const OptionValue& value) {
    const std::string path = output_path(*value);
    OutputFile file = open_output_file(path, O_WRONLY | O_APPEND);
    if (!file) throw BadValue("cannot create " + path + " (" + file.error + ")");
    state.config.auto_debug = std::move(file);
}

} // namespace nfqws2::app
