#include "commands/commands.hpp"

#include "client/sockets.hpp"
#include "view/reports.hpp"

#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace nfqws2::ctl {

std::string Shared::find_socket() const {
    const Choice choice = choose_socket(socket, queue, socket_folder(), answers);
    if (!choice.error.empty()) throw Failure(choice.error);
    return choice.path;
}

void print(std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = write(STDOUT_FILENO, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw Failure(std::string("standard output: ") + std::strerror(errno));
        text.remove_prefix(static_cast<std::size_t>(count));
    }
}

void refuse_options(const CLI::App& app, std::initializer_list<const char*> names) {
    for (const char* name : names)
        if (app.count(name) != 0) throw CLI::ValidationError(name, "is of no use to this word");
}

namespace {

// What was found out is shown also if the options are not taken.
void run_reload(const Shared& shared, const Json& request) {
    Connection daemon = shared.connect();
    Lines lines;
    const auto show = [&] {
        if (!shared.json) print(reload_report(lines, Style::of_output()));
    };
    try {
        daemon.ask(request, [&](const Json& line) {
            if (shared.json) print(dump(line) + "\n");
            lines.push_back(line);
            return true;
        });
    } catch (const Refused&) {
        show();
        throw;
    }
    show();
}

void add_reload(CLI::App& app, const SharedPtr& shared) {
    auto request = std::make_shared<Json>(Json{{"cmd", "reload"}});
    CLI::App* word =
        app.add_subcommand("reload", "Reads the options again; connections go on, nothing is lost");
    CLI::Option* dry = word->add_flag_callback(
        "-n,--dry-run", [request] { (*request)["dry_run"] = true; },
        "only tells what would change");
    word->add_flag_callback(
            "-u,--undo", [request] { (*request)["undo"] = true; },
            "back to the options before the last reload")
        ->excludes(dry);
    word->callback([shared, request] { run_reload(*shared, *request); });
}

} // namespace

void add_acting(CLI::App& app, const SharedPtr& shared) {
    add_reload(app, shared);
    app.add_subcommand("metrics", "The counters as text for Prometheus")->callback([shared] {
        Connection daemon = shared->connect();
        daemon.ask({{"cmd", "metrics"}}, [&](const Json& line) {
            print(shared->json ? dump(line) + "\n" : text_of(member(line, "metrics")));
            return true;
        });
    });
    app.add_subcommand("stop", "Ends the daemon as SIGTERM does")->callback([shared] {
        Connection daemon = shared->connect();
        const Json end = daemon.ask_for_end({{"cmd", "stop"}});
        print(shared->json ? dump(end) + "\n" : "the daemon ends\n");
    });
}

} // namespace nfqws2::ctl
