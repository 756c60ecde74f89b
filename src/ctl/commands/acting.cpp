#include "commands/commands.hpp"

#include "client/sockets.hpp"

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

void add_acting(CLI::App& app, const SharedPtr& shared) {
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
