#include "desk.hpp"

#include "commands.hpp"
#include "log_keeper.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/base/sort.hpp"
#include "nfqws2/control/server.hpp"

#include <algorithm>
#include <unistd.h>

namespace nfqws2::app {
namespace {

bool is_plain(char c) {
    constexpr std::string_view others = "-_=+:,./@%^";
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           others.find(c) != others.npos;
}

std::string quoted(const std::string& word) {
    if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return word;
    std::string text = "'";
    for (const char c : word) {
        if (c == '\'')
            text += "'\\''";
        else
            text += c;
    }
    return text + "'";
}

std::vector<control::Command> all_commands(const Subject& subject) {
    std::vector<control::Command> commands;
    for (const auto make :
         {counters_command, find_command, flows_command, hosts_command, learn_command,
          lists_command, log_command, lua_command, marks_command, metrics_command, reload_command,
          rules_command, status_command, stop_command, trace_command})
        commands.push_back(make(subject));
    std::vector<std::pair<std::string, control::Access>> names{{"hello", control::Access::read}};
    for (const control::Command& command : commands)
        names.emplace_back(command.name, command.access);
    sort_stably(names);
    commands.push_back(hello_command(std::move(names)));
    return commands;
}

} // namespace

std::string options_text(const Arguments& arguments) {
    std::string text;
    for (const Word& word : arguments.words)
        text += quoted(word.text) + '\n';
    return text;
}

struct Desk::Start {
    explicit Start(const Clock& clock) : keeper(clock) {}

    LogKeeper keeper; // from here on, since much is said before there is a workers
    control::ListeningSocket socket;
    unsigned owner = geteuid();
    StartFacts facts;
    bool tracing = false;
};

namespace {

struct Serving {
    Serving(Worker& worker, control::ListeningSocket socket, const control::Rights& rights,
            const Subject& whom)
        : first(worker), subject(whom),
          server(std::move(socket), rights, all_commands(subject), worker.shared.clock) {
        first.control = &server;
    }
    ~Serving() { first.control = nullptr; }
    Serving(const Serving&) = delete;
    Serving& operator=(const Serving&) = delete;

    Worker& first;
    const Subject subject; // what commands and answers refer to
    control::Server server;
};

} // namespace

Desk::Desk() = default;
Desk::~Desk() = default;

bool Desk::make_socket(const Config& config, const Arguments& arguments, const Clock& clock) {
    if (config.control.empty()) return true;
    start_ = std::make_unique<Start>(clock);
    start_->socket = control::listen_at(config.control, config.control_group);
    start_->facts.config = arguments.file;
    start_->facts.control = start_->socket.path;
    start_->facts.unix_s = clock.unix_s();
    start_->facts.boot_ms = clock.boot_ms();
    if (start_->socket) return true;
    log::error("cannot make control socket '%s': %s", config.control.c_str(),
               start_->socket.error.c_str());
    return false;
}

std::shared_ptr<void> Desk::open(const Config& config, Workers& workers, profile::ListStore& lists,
                                 const Fence& fence, Reloader* reloader) {
    if (!start_ || reloader == nullptr) return nullptr;
    StartFacts& facts = start_->facts;
    facts.landlock = fence.landlock();
    facts.seccomp = fence.seccomp();
    const control::Rights rights{start_->owner, config.control_group, geteuid()};
    const Subject subject{config, workers,         lists,    start_->keeper,
                          facts,  start_->tracing, *reloader};
    return std::make_shared<Serving>(workers[0], std::move(start_->socket), rights, subject);
}

} // namespace nfqws2::app
