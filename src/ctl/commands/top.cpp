#include "commands/commands.hpp"

#include "view/top.hpp"

#include <chrono>
#include <sys/ioctl.h>
#include <thread>
#include <unistd.h>

namespace nfqws2::ctl {
namespace {

// Of more flows than that nobody sees the difference.
constexpr int max_flows = 20'000;

struct Options {
    double interval = 2;
    std::int64_t rounds = 0;
};

Look look(Connection& daemon) {
    Look look;
    look.counters = daemon.ask({{"cmd", "counters"}});
    look.flows = daemon.ask({{"cmd", "flows"}, {"limit", max_flows}});
    for (const Json& line : daemon.ask({{"cmd", "status"}}))
        if (line.contains("status")) look.status = line["status"];
    look.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    return look;
}

std::size_t rows_of_terminal() {
    winsize size{};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

void run(const Shared& shared, const Options& options) {
    Connection daemon = shared.connect();
    const auto wait = [&] {
        std::this_thread::sleep_for(std::chrono::duration<double>(options.interval));
    };
    Look before = look(daemon);
    for (std::int64_t round = 0; options.rounds == 0 || round < options.rounds; round++) {
        wait();
        Look now = look(daemon);
        const Style style = Style::of_output();
        const std::string picture = top_report(before, now, style, rows_of_terminal());
        print((style.columns() != 0 ? "\x1b[H\x1b[2J" : "") + picture +
              (style.columns() != 0 ? "" : "\n"));
        before = std::move(now);
    }
}

} // namespace

void add_top(CLI::App& app, const SharedPtr& shared) {
    auto options = std::make_shared<Options>();
    CLI::App* word =
        app.add_subcommand("top", "Rates of profiles and the busiest connections, live");
    word->add_option("-d,--delay", options->interval, "seconds between two looks")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.1, 3600.0));
    word->add_option("-n,--rounds", options->rounds, "end after so many looks, 0: no end")
        ->type_name("N");
    word->callback([&app, shared, options] {
        refuse_options(app, {"--json"});
        run(*shared, *options);
    });
}

} // namespace nfqws2::ctl
