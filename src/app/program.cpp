// Theory of operation: what needs the privileges of the start comes first: the configuration, and
// opening files. Then come the drop and the sandbox, then what is in lists, blobs and captures,
// then Lua: what others have written is read by the unprivileged user and under the system call
// filter. A daemon becomes a process of its own before it drops anything; its parent ends only when
// Lua and the queue are ready.
#include "program.hpp"

#include "check/argument_files.hpp"
#include "check/check_detectors.hpp"
#include "check/check_functions.hpp"
#include "check/check_instances.hpp"
#include "check/check_lists.hpp"
#include "check/check_nflua.hpp"
#include "check/check_profiles.hpp"
#include "check/check_strategies.hpp"
#include "check/check_traffic_rules.hpp"
#include "check/check_words.hpp"
#include "check/report.hpp"
#include "control/code_door.hpp"
#include "control/desk.hpp"
#include "explain/explain_output.hpp"
#include "firewall/firewall.hpp"
#include "firewall/installed.hpp"
#include "nfqws2/base/answers.hpp"
#include "nfqws2/base/emergency.hpp"
#include "nfqws2/base/file.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/engine/trace_file.hpp"
#include "nfqws2/lua/guard.hpp"
#include "nfqws2/sandbox/privileges.hpp"
#include "nfqws2/store/state_directory.hpp"
#include "offline/offline_files.hpp"
#include "offline/offline_loop.hpp"
#include "options/command_line.hpp"
#include "options/ct_options.hpp"
#include "options/help.hpp"
#include "reload/reloader.hpp"
#include "run/timer_loop.hpp"
#include "run/worker_threads.hpp"
#include "start/ct_start.hpp"
#include "start/daemon.hpp"
#include "start/data_output.hpp"
#include "start/fence.hpp"
#include "start/startup.hpp"
#include "version.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <memory>
#include <new>
#include <unistd.h>

namespace nfqws2::app {
namespace {

// --fuzz: what scripts send goes nowhere.
class NoSender final : public capture::PacketSender {
  public:
    bool send(const capture::OutputPacket&) override { return true; }
};

// Of scripts that may reach netlink.
std::unique_ptr<capture::MessageSender> open_messages(const Config& config) {
    if (!config.nflua_netlink) return nullptr;
    if (config.fuzz_packets != 0) return std::make_unique<capture::NoMessages>();
    if (!config.engine.lua_kernel.netlink) return nullptr;
    return std::make_unique<capture::NetlinkSender>(*config.nflua_netlink);
}

// False only if it says that it does not.
bool kernel_counts() {
    const auto setting = read_file("/proc/sys/net/netfilter/nf_conntrack_acct");
    return !setting.ok() || !as_text(setting.data).starts_with('0');
}

class Program {
  public:
    Program() : report_(arguments_, state_) {}
    int run(int argc, const char* const* argv);

  private:
    using ExitCode = std::optional<int>; // nullopt: go on

    ExitCode parse(int argc, const char* const* argv);
    bool prepare_files();
    bool compile_rules();
    bool files_readable();
    bool enter_fence();
    bool load_files();
    bool load_blobs();
    void make_stores();
    bool open_trace();
    bool open_code_door() {
        return config_.lua_control.empty() || code_door_.open(config_.lua_control);
    }
    const engine::TraceFile* trace() const { return trace_ ? &*trace_ : nullptr; }
    bool give_up_privileges();
    int start(int argc, const char* const* argv);
    int verify_only();
    int check();
    bool open_rules_now();
    void check_rules();
    void check_lua(std::shared_ptr<const rules::InForce> rules);
    void show_report();
    bool load_lists_only();
    int explain_packets();
    bool load_rules_only(std::shared_ptr<const rules::InForce>* rules);
    int print_rules();
    int run_with_kernel();
    int run_without_queue(Workers& workers);
    int run_script(Worker& worker);
    bool open_sockets(unsigned count);
    int run_queues(Workers& workers);
    void announce_ready();

    Arguments arguments_;
    ProcessClock clock_;
    profile::ListStore lists_{clock_};
    ParseState state_{lists_};
    Config& config_ = state_.config;
    std::unique_ptr<Random> random_;
    Fence fence_;
    PidFile pid_file_;
    Background background_;
    std::vector<std::unique_ptr<Random>> more_random_; // of the workers behind the first
    SocketsOfWorkers sockets_;
    DataOutput standard_output_;
    OfflineFiles offline_;
    std::optional<engine::TraceFile> trace_;
    Desk desk_;                                        // of the control socket
    CodeDoor code_door_;                               // --lua-control
    std::unique_ptr<capture::MessageSender> messages_; // of scripts
    std::optional<Reloader> reloader_;                 // if somebody may ask for it
    std::optional<store::Stores> stores_;
    std::optional<store::StateDirectory> state_directory_; // with --state-dir
    Report report_;
    FileDescriptor rules_now_;                  // open, until it is read
    std::optional<log::ErrorCollector> errors_; // for a report in JSON
};

int Program::run(int argc, const char* const* argv) {
    const int code = start(argc, argv);
    if (!errors_ || code == 0 || report_.has_errors()) return code;
    // The start ended before there was anything to check.
    const bool known = !state_.failure.empty();
    report_.add(Level::error, known ? std::optional(state_.position) : std::nullopt,
                known ? state_.failure : errors_->take());
    show_report();
    return code;
}

int Program::start(int argc, const char* const* argv) {
    if (const auto code = parse(argc, argv)) return *code;
    if (!config_.explain.empty()) return explain_packets();
    if (config_.print_rules != RulesFormat::none) return print_rules();
    const bool only_look = config_.dry_run || config_.check;
    if (config_.offline() && !only_look && !offline_.open_input(config_)) return exit_capture_error;
    print_profiles(config_);
    if (!prepare_files()) return 1;
    if (config_.check) return check();
    if (config_.dry_run) return verify_only();
    if (config_.engine.ctrack_disable)
        log::status("conntrack disabled ! some functions will not work. make sure it's what you "
                    "want.");

    random_ =
        config_.engine.seeded ? make_seeded_random(config_.engine.seed) : make_secure_random();
    config_.engine.version = version_text();
    if (config_.offline()) {
        if (!offline_.open_output(config_, standard_output_, clock_, *random_))
            return exit_capture_error;
    } else if (!desk_.make_socket(config_, arguments_, clock_) || !open_code_door() ||
               !pid_file_.open(config_.pidfile)) {
        return 1;
    }
    if (!open_trace()) return 1;
    if (!config_.offline()) messages_ = open_messages(config_);
    if (config_.daemon && !config_.offline()) background_.begin();
    const std::string state_path = make_state_directory(config_);
    if (!give_up_privileges()) return 1;
    make_stores();
    if (!state_path.empty()) state_directory_.emplace(*stores_).open(state_path);
    if (!enter_fence()) return 1;
    if (config_.offline() && !offline_.begin(clock_)) return exit_capture_error;
    if (!load_files()) return 1;
    if (state_directory_) state_directory_->load();
    if (!config_.offline()) return run_with_kernel();
    const int code = offline_.run(config_, clock_, lists_, *random_, trace(), *stores_);
    // What was asked for is not there: as with --pcap-out.
    return trace_ && !trace_->flush() ? exit_capture_error : code;
}

Program::ExitCode Program::parse(int argc, const char* const* argv) {
    keep_standard_descriptors();
    log::find_journal();
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    std::setvbuf(stderr, nullptr, _IOLBF, 0);
    std::string error;
    try {
        arguments_ = collect_arguments(argc, argv);
    } catch (const ConfigError& e) {
        error = e.what();
    }
    standard_output_.reserve(arguments_);
    if (standard_output_.for_check()) errors_.emplace();
    log::set_quiet(wants_silence(arguments_));
    log::status("%s\n", version_text().c_str());
    log::status_text("\n");
    if (argc < 2) {
        log::status_text(help_text());
        log::error("nfqws2: no options were given, e.g. --qnum=200");
        return 1;
    }
    if (!error.empty()) {
        log::error_text(error);
        return 1;
    }
    if (only_looks(arguments_)) leave_output_files_alone();
    set_exe_dir(argv[0]);
    reloader_.emplace(argc, argv, arguments_);
    config_.privileges.drop = sandbox::can_change_identity();
    if (config_.privileges.drop)
        expect_output_files_of(wanted_privileges(arguments_, config_.privileges).uid);
    if (const auto code = parse_options(arguments_, state_)) return code;
    if (!config_.check) {
        tell_warnings(state_);
        warn_of_words(arguments_, state_);
    }
    try {
        finish_config(state_);
    } catch (const ConfigError& e) {
        log::error_text(e.what());
        return 1;
    }
    const bool live = !config_.offline() && !config_.check && !config_.dry_run;
    if (live && (!config_.control.empty() || config_.reload_on_hup))
        config_.reread = reloader_->file();
    else
        reloader_.reset();
    emergency::remember_target();
    return std::nullopt;
}

bool Program::prepare_files() {
    const bool runs_lua = config_.check || !config_.dry_run;
    if ((runs_lua && !make_writable(config_)) || !compile_rules()) return false;
    give_files_away(config_, lists_);
    return files_readable();
}

// What is wrong with them is part of the report of --check.
bool Program::compile_rules() {
    if (config_.rules_file.empty()) return true;
    config_.rules = rules::compile_file(config_.rules_file);
    rules::Compiled& rules = config_.rules;
    settle_ct(config_);
    if (const char* complaint = rules_without_ct(config_))
        rules.errors.push_back(config_.rules_file + ": " + complaint);
    if (!config_.check)
        for (const std::string& error : rules.errors)
            log::error_text(error);
    config_.rules_databases = rules::open_databases(rules);
    return config_.check || rules.errors.empty();
}

bool Program::enter_fence() {
    return files_readable() && fence_.close(config_, lists_);
}

bool Program::load_files() {
    if (config_.check)
        lists_.keep_warnings(); // they are in the report
    else if (config_.dry_run)
        lists_.only_test();
    std::string culprit;
    if (load_blobs() && lists_.load_all(&culprit)) return true;
    blame_file(culprit, state_);
    return false;
}

bool Program::load_blobs() {
    for (const ParseState::BlobFile& file : state_.blob_files) {
        lua::Blob& blob = config_.engine.blobs[file.blob];
        try {
            blob.data = read_blob(file.source);
        } catch (const BadValue& e) {
            blame_option(file.position, state_, e.what());
            return false;
        }
    }
    state_.blob_files.clear();
    if (log::debug_enabled())
        for (const lua::Blob& blob : config_.engine.blobs)
            log::debug("blob '%s' : size=%zu", blob.name.c_str(), blob.data.size());
    return true;
}

// Names from the network become keys: nobody outside may foresee where they go.
void Program::make_stores() {
    stores_.emplace(clock_, SipKey::random(), config_.stores);
}

bool Program::files_readable() {
    std::string culprit;
    if (test_files(config_, lists_, &culprit)) return true;
    blame_file(culprit, state_);
    return false;
}

bool Program::open_trace() {
    if (config_.trace_file.empty()) return true;
    OutputFile output;
    if (config_.trace_file != "-") {
        output = engine::TraceFile::create(config_.trace_file);
    } else {
        output.file = standard_output_.duplicate();
        output.error = std::strerror(errno);
    }
    if (!output) {
        log::error("cannot create trace '%s': %s", config_.trace_file.c_str(),
                   output.error.c_str());
        return false;
    }
    trace_.emplace(std::move(output.file), config_.trace_file);
    return true;
}

bool Program::give_up_privileges() {
    const Privileges& p = config_.privileges;
    if (p.drop && !sandbox::change_identity({p.uid, p.gids, p.by_user ? p.user : std::string()}))
        return false;
    const auto keep =
        config_.offline() || !config_.explain.empty() || config_.print_rules != RulesFormat::none
            ? sandbox::KeptCapabilities::none
            : sandbox::KeptCapabilities::network;
    if (!sandbox::drop_capabilities(keep)) {
        if (geteuid() != 0) log::error("nfqws2 has to be started by root");
        return false;
    }
    log::status_text(sandbox::running_as());
    return true;
}

int Program::verify_only() {
    if (config_.privileges.drop && !give_up_privileges()) return 1;
    std::shared_ptr<const rules::InForce> rules;
    if (!enter_fence() || !load_files() || !load_rules_only(&rules)) return 1;
    log::status("command line parameters verified");
    return 0;
}

bool Program::load_rules_only(std::shared_ptr<const rules::InForce>* rules) {
    if (config_.rules.program == nullptr) return true;
    std::string error;
    std::vector<std::string> warnings;
    *rules = rules::read_data(config_.rules.program, std::move(config_.rules_databases), &error,
                              &warnings);
    for (const std::string& warning : warnings)
        log::error_text(warning);
    if (*rules == nullptr) log::error_text("rules: " + error);
    return *rules != nullptr;
}

// As --dry-run, and also Lua init as in a real start. What Lua sends goes nowhere.
int Program::check() {
    if (config_.rules_now && !open_rules_now()) return 1;
    if (config_.privileges.drop && !give_up_privileges()) return 1;
    if (!enter_fence() || !load_files()) return 1;
    check_words(arguments_, state_, report_);
    check_lists(config_, report_);
    if (config_.rules_now) check_rules();
    check_lua(check_traffic_rules(config_, state_, report_));
    show_report();
    return report_.has_errors() ? 1 : 0;
}

bool Program::open_rules_now() {
    const bool input = *config_.rules_now == "-";
    rules_now_.reset(input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                           : open(config_.rules_now->c_str(), O_RDONLY | O_CLOEXEC));
    if (!rules_now_) log::os_error("rules '" + *config_.rules_now + "'", errno);
    return static_cast<bool>(rules_now_);
}

void Program::check_rules() {
    const auto text = firewall::read_listing(rules_now_);
    std::optional<std::size_t> position;
    for (std::size_t i = 0; i < state_.option_at.size(); i++)
        if (state_.option_at[i] == "rules-now") position = i;
    if (!text) {
        report_.add(Level::error, position, "the rules cannot be read, or are longer than 16 MB");
        return;
    }
    const firewall::RuleSet needed = firewall::derive(config_, config_.profiles);
    for (const auto& [serious, what] : compare(needed, firewall::read_installed(*text)))
        report_.add(serious ? Level::warning : Level::notice, position, what);
}

void Program::check_lua(std::shared_ptr<const rules::InForce> rules) {
    random_ =
        config_.engine.seeded ? make_seeded_random(config_.engine.seed) : make_secure_random();
    config_.engine.version = version_text();
    const Circumstances circumstances{config_.engine.server, !config_.engine.ctrack_disable,
                                      config_.engine.payload_disable, config_.workers,
                                      !config_.engine.lua_kernel.conntrack || kernel_counts()};
    if (!errors_) errors_.emplace();
    errors_->take();
    if (config_.ct != CtMode::off) config_.engine.ct = packet::CtSource::sim;
    NoSender nowhere;
    capture::LiveNetworkInfo network;
    Workers workers(config_, clock_, lists_);
    make_stores(); // nothing is read or written
    workers.shared().use(*stores_);
    workers.shared().show_rules(std::move(rules), *random_);
    capture::NoMessages unsent;
    Outside outside{nowhere, network, {}};
    if (config_.nflua_netlink) outside.messages = &unsent;
    workers.add(*random_, std::move(outside));
    const Profiles& profiles = workers.shared().profiles.all();
    check_profiles(profiles, report_);
    check_instances(profiles, circumstances, report_);
    check_argument_files(profiles, report_);
    std::optional<std::size_t> failed;
    if (config_.lua_run)
        if (const std::string why = lua::syntax_error(config_.lua_run->code); !why.empty())
            report_.add(Level::error, config_.lua_run_position, why);
    if (workers.run_lua_init(&failed)) {
        const auto globals = workers[0].engine.lua_globals();
        const LuaGlobals by_name{globals.begin(), globals.end()};
        check_functions(profiles, by_name, report_);
        check_detectors(profiles, by_name, report_);
        check_strategies(profiles, report_);
        check_nflua(profiles, report_);
        return;
    }
    std::string why = errors_->take();
    if (workers.signals().quit()) why = "interrupted";
    const bool known = failed && *failed < config_.lua_init_positions.size();
    report_.add(Level::error,
                known ? std::optional(config_.lua_init_positions[*failed]) : std::nullopt,
                why.substr(0, why.find('\n')));
}

void Program::show_report() {
    if (config_.check_json || standard_output_.for_check())
        standard_output_.print(report_.json());
    else
        log::answer_text(report_.text());
}

bool Program::load_lists_only() {
    lists_.open_all();
    if (!lists_.test_access()) return false;
    if (config_.privileges.drop && !give_up_privileges()) return false;
    return fence_.close(config_, lists_) && lists_.load_all();
}

int Program::print_rules() {
    if (!compile_rules() || !load_lists_only()) return 1;
    const firewall::RuleSet rules = firewall::derive(config_, config_.profiles);
    switch (config_.print_rules) {
    case RulesFormat::nft:
        standard_output_.print(nft_text(rules));
        break;
    case RulesFormat::iptables:
        standard_output_.print(iptables_text(rules));
        break;
    case RulesFormat::service:
        standard_output_.print(service_text(rules));
        break;
    case RulesFormat::json:
    case RulesFormat::none:
        standard_output_.print(json_text(rules));
    }
    return 0;
}

int Program::explain_packets() {
    if (!load_lists_only()) return 1;
    const profile::ProfileSet profiles(std::move(config_.profiles), lists_, clock_);
    std::shared_ptr<const rules::InForce> rules;
    if (!compile_rules() || !load_rules_only(&rules)) return 1;
    std::vector<Explanation> explanations;
    for (const ExplainQuery& query : config_.explain) {
        explanations.push_back(explain(query, profiles));
        if (rules != nullptr)
            explanations.back().rules =
                rules::preview(*rules, sketch_of(query, config_.engine.server));
    }
    if (config_.explain_json) {
        standard_output_.print(to_json(explanations));
        return 0;
    }
    for (const Explanation& explanation : explanations)
        log::answer_text(to_text(explanation));
    return 0;
}

void Program::announce_ready() {
    pid_file_.write(getpid());
    background_.ready();
    notify_ready();
}

// Every worker has its own generator; that of the first is the program's.
bool Program::open_sockets(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (i != 0) more_random_.push_back(make_secure_random());
        Random& random = i == 0 ? *random_ : *more_random_.back();
        sockets_.push_back(std::make_unique<WorkerSockets>(config_, i, random));
        const std::string text = worker_label(i, count);
        const log::Label label(text);
        if (!sockets_.back()->open_sender()) return false;
        if (needs_ct_requests(config_) && !sockets_.back()->open_ct_requests() &&
            config_.engine.ct != packet::CtSource::mark) // marks tell the states without the kernel
            return false;
    }
    return true;
}

int Program::run_with_kernel() {
    const unsigned count = config_.intercept ? config_.workers : 1;
    if (!choose_ct_source(config_) || !open_sockets(count)) return 1;
    if (!config_.intercept) announce_ready();

    if (reloader_) reloader_->remember(config_);
    NoSender nowhere;
    Workers workers(config_, clock_, lists_, count, Threads::one_each);
    workers.shared().use(*stores_);
    if (!workers.shared().load_rules(*random_)) return 1;
    for (const auto& sockets : sockets_) {
        Outside outside = sockets->outside(config_.fuzz_packets != 0 ? &nowhere : nullptr);
        outside.trace = trace();
        outside.messages = messages_.get();
        workers.add(sockets->random(), std::move(outside));
    }
    if (!workers.init_lua()) return workers.signals().quit() ? 0 : 1;
    if (reloader_) reloader_->open(config_, workers, lists_);
    const auto serving =
        desk_.open(config_, workers, lists_, fence_, reloader_ ? &*reloader_ : nullptr);
    if (state_directory_) state_directory_->start(config_.state_interval_s);
    if (code_door_.fd() >= 0) {
        workers[0].bell.ring_for(code_door_.fd());
        workers[0].take_code = [&] { code_door_.turn(workers, config_.lua_control_all); };
    }
    const int code = config_.intercept ? run_queues(workers) : run_without_queue(workers);
    if (reloader_) reloader_->close();
    return code;
}

int Program::run_without_queue(Workers& workers) {
    workers[0].loops = true;
    if (config_.fuzz_packets != 0) run_fuzz(workers[0], *random_, config_.fuzz_packets);
    if (config_.lua_run)
        if (const int code = run_script(workers[0])) return code;
    return run_timers_only(workers[0]);
}

int Program::run_script(Worker& worker) {
    if (config_.qnum) log::status("--qnum is ignored with --lua-run");
    return worker.engine.run_script(*config_.lua_run) == lua::ScriptEnd::failed ? 1 : 0;
}

int Program::run_queues(Workers& workers) {
    for (std::size_t i = 0; i < sockets_.size(); i++) {
        const log::Label label(workers[i].label);
        if (!sockets_[i]->open_queue(config_.uses_ssid)) return 1;
    }
    announce_ready();
    const int code = run_threads(workers, sockets_);
    if (workers.shared().rules) workers.shared().rules->write_statistics();
    return code;
}

} // namespace

int run_program(int argc, const char* const* argv) {
    std::set_new_handler(lua::Guard::out_of_memory);
    constexpr std::string_view send = "--lua-send=";
    try {
        if (argc == 3 && std::string_view(argv[1]).starts_with(send))
            return send_code(argv[1] + send.size(), argv[2]);
        if (argc == 4 && std::string_view(argv[1]) == "--lua-send")
            return send_code(argv[2], argv[3]);
        return Program().run(argc, argv);
    } catch (const std::bad_alloc&) {
        log::error("nfqws2: out of memory");
        return lua::Guard::memory_exit_code;
    } catch (const std::exception& e) {
        log::error("nfqws2: %s", e.what());
        return 1;
    }
}

} // namespace nfqws2::app
