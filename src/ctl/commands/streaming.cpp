// Words that show what happens until they are interrupted.
#include "commands/commands.hpp"

#include "view/reports.hpp"

namespace nfqws2::ctl {
namespace {

using Report = std::string (*)(const Json&, const Style&);

void run(const Shared& shared, const Json& request, Report report) {
    Connection daemon = shared.connect();
    const Style style = Style::of_output();
    daemon.ask(request, [&](const Json& line) {
        print(shared.json ? dump(line) + "\n" : report(line, style));
        return true;
    });
}

std::string traced(const Json& line, const Style& style) {
    if (const std::int64_t lost = integer_of(member(line, "lost")).value_or(0); lost > 0)
        return style.paint(Colour::warn, std::to_string(lost) + " packets were lost to this view") +
               "\n";
    return trace_report(member(line, "trace"), style);
}

} // namespace

void add_streaming(CLI::App& app, const SharedPtr& shared) {
    auto trace = std::make_shared<Json>(Json{{"cmd", "trace"}});
    CLI::App* trace_word = app.add_subcommand("trace", "What happens to packets, and why");
    add_flow_filters(*trace_word, *trace);
    trace_word
        ->add_option_function<std::int64_t>(
            "-n,--packets", [trace](std::int64_t most) { (*trace)["packets"] = most; },
            "end after so many, 0: no end")
        ->type_name("N")
        ->check(CLI::Range(0, 1'000'000'000));
    trace_word
        ->add_option_function<std::int64_t>(
            "-t,--seconds", [trace](std::int64_t most) { (*trace)["seconds"] = most; },
            "end after so long, 0: no end")
        ->type_name("SECONDS")
        ->check(CLI::Range(0, 1'000'000));
    trace_word->callback([shared, trace] { run(*shared, *trace, traced); });

    auto log = std::make_shared<Json>(Json{{"cmd", "log"}});
    CLI::App* log_word = app.add_subcommand("log", "Messages of the daemon as they come");
    log_word
        ->add_option_function<std::string>(
            "level", [log](const std::string& level) { (*log)["level"] = level; },
            "debug: with debug text; normal: without")
        ->type_name("debug|normal")
        ->check(CLI::IsMember({"debug", "normal"}));
    log_word->add_flag_callback(
        "--to-log", [log] { (*log)["to"] = "log"; },
        "show nothing here, change the level of the daemon's own log");
    log_word->callback([shared, log] { run(*shared, *log, log_report); });
}

} // namespace nfqws2::ctl
