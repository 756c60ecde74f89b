// Words that ask once, or again and again with --watch, and show a table.
#include "commands/commands.hpp"

#include "doctor/machine.hpp"
#include "list_update.hpp"
#include "nfqws2/base/text.hpp"
#include "view/reports.hpp"

#include <chrono>
#include <ctime>
#include <thread>

namespace nfqws2::ctl {
namespace {

using Report = std::string (*)(const Lines&, const Style&);
using Addition = std::string (*)(const std::string& socket, const Style&);

struct Question { // NOLINT(bugprone-exception-escape): the move of Json does not throw
    Json request;
    double watch = 0; // seconds, 0: once
    std::string host, address;
    Addition below = nullptr; // what is known from elsewhere
};

void print_lines(const Lines& lines) {
    std::string out;
    for (const Json& line : lines)
        out += dump(line) + "\n";
    print(out);
}

// With --json what the daemon says, line by line as it comes.
Lines answer(Connection& daemon, const Json& request, bool raw) {
    if (!raw) return daemon.ask(request);
    daemon.ask(request, [](const Json& line) {
        print(dump(line) + "\n");
        return true;
    });
    return {};
}

// Where the cursor can be moved the new picture replaces the old one.
void repeat(double seconds, const std::function<void()>& show) {
    const bool terminal = Style::of_output().columns() != 0;
    for (;;) {
        if (terminal && seconds > 0) print("\x1b[H\x1b[2J");
        show();
        if (seconds <= 0) return;
        if (!terminal) print("\n");
        std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    }
}

void run(const Shared& shared, const Question& question, Report report) {
    const std::string socket = shared.find_socket();
    Connection daemon(socket);
    repeat(question.watch, [&] {
        const Lines lines = answer(daemon, question.request, shared.json);
        if (shared.json) return;
        const Style style = Style::of_output();
        print(report(lines, style) +
              (question.below != nullptr ? question.below(socket, style) : ""));
    });
}

// Of the service's lists, with a line between.
std::string update_of_lists(const std::string& socket, const Style& style) {
    const std::string folder = socket.substr(0, socket.rfind('/') + 1);
    const auto noted = ThisMachine().read(folder + std::string(list_update_name));
    const std::string text =
        list_update_report(parse_list_update(noted.value_or("")), std::time(nullptr), style);
    return text.empty() ? text : "\n" + text;
}

void run_why(const Shared& shared, const std::string& host) {
    Connection daemon = shared.connect();
    const Lines known = daemon.ask({{"cmd", "flows"}, {"host", host}, {"limit", 100}});
    Json find{{"cmd", "find"}, {"host", host}};
    // What is explained is such a connection as there are, if there are any.
    if (!known.empty()) {
        const Json& flow = member(known.front(), "flow");
        const Json& port = member(member(flow, "server"), "port");
        if (port.is_number_integer()) find["port"] = port;
        for (const char* key : {"proto", "l7"})
            if (const std::string value = text_of(member(flow, key));
                !value.empty() && value != "unknown")
                find[key] = value;
    }
    const Lines found = daemon.ask(find);
    if (!shared.json) return print(why_report(host, found, known, Style::of_output()));
    print_lines(found);
    print_lines(known);
}

std::shared_ptr<Question> add_word(CLI::App& app, const SharedPtr& shared, const char* name,
                                   const char* help, Report report, bool watch = true) {
    auto question = std::make_shared<Question>();
    question->request["cmd"] = name;
    CLI::App* word = app.add_subcommand(name, help);
    if (watch)
        word->add_option("-w,--watch", question->watch, "again every so many seconds")
            ->type_name("SECONDS")
            ->expected(0, 1)
            ->default_str("2")
            ->check(CLI::Range(0.1, 86400.0));
    word->callback([shared, question, report] { run(*shared, *question, report); });
    return question;
}

} // namespace

void add_flow_filters(CLI::App& word, Json& request) {
    const auto text = [&](const char* option, const char* key, const char* kind, const char* help) {
        word.add_option_function<std::string>(
                option, [&request, key](const std::string& value) { request[key] = value; }, help)
            ->type_name(kind);
    };
    text("-a,--address", "address", "ADDRESS", "of either side: an address or a network");
    text("--host", "host", "NAME", "this name or one below it");
    text("--proto", "proto", "tcp|udp", "transport");
    text("--l7", "l7", "PROTOCOL", "tls, quic, http, ...");
    word.add_option_function<std::int64_t>(
            "-p,--port", [&request](std::int64_t port) { request["port"] = port; },
            "of either side")
        ->type_name("PORT")
        ->check(CLI::Range(0, 65535));
    word.add_option_function<std::string>(
            "--profile",
            [&request](const std::string& value) {
                const auto number = parse_uint(value, UINT32_MAX);
                request["profile"] = number ? Json(*number) : Json(value);
            },
            "number or name of the profile")
        ->type_name("PROFILE");
}

void add_asking(CLI::App& app, const SharedPtr& shared) {
    add_word(app, shared, "status", "What the daemon is and how it fares", status_report);
    add_word(app, shared, "counters", "What was counted since the start", counters_report);

    auto flows = add_word(app, shared, "flows", "Connections that are tracked now", flows_report);
    CLI::App& flow_word = *app.get_subcommand("flows");
    add_flow_filters(flow_word, flows->request);
    flow_word
        .add_option_function<std::string>(
            "--state", [flows](const std::string& value) { flows->request["state"] = value; },
            "syn, established, fin; of UDP new, answered")
        ->type_name("STATE");
    flow_word.add_flag_callback(
        "--held", [flows] { flows->request["held"] = true; }, "only those with packets put aside");
    const auto limit = [&app](const char* word, const std::shared_ptr<Question>& question) {
        app.get_subcommand(word)
            ->add_option_function<std::int64_t>(
                "-n,--limit", [question](std::int64_t most) { question->request["limit"] = most; },
                "at most so many, 0: all")
            ->type_name("N")
            ->check(CLI::Range(0, 10'000'000));
    };
    limit("flows", flows);

    auto hosts = add_word(app, shared, "hosts", "The same by host name", hosts_report);
    app.get_subcommand("hosts")
        ->add_option_function<std::string>(
            "--host", [hosts](const std::string& value) { hosts->request["host"] = value; },
            "this name and those below it")
        ->type_name("NAME");
    limit("hosts", hosts);

    auto lists = add_word(app, shared, "lists", "Host lists and ip sets", lists_report);
    app.get_subcommand("lists")->add_flag_callback(
        "-r,--reload", [lists] { lists->request["reload"] = true; }, "read all lists again first");
    lists->below = update_of_lists;

    auto find = add_word(app, shared, "find", "In which lists something is, and what would be done",
                         find_report, false);
    CLI::App& find_word = *app.get_subcommand("find");
    find_word
        .add_option_function<std::string>(
            "what",
            [find](const std::string& value) {
                const bool address = value.find_first_not_of("0123456789.") == std::string::npos ||
                                     value.find(':') != std::string::npos;
                find->request[address ? "address" : "host"] = value;
            },
            "host name or address")
        ->required()
        ->type_name("NAME|ADDRESS");
    find_word
        .add_option_function<std::string>(
            "--proto", [find](const std::string& value) { find->request["proto"] = value; },
            "transport of the packet to explain")
        ->type_name("tcp|udp");
    find_word
        .add_option_function<std::int64_t>(
            "-p,--port", [find](std::int64_t port) { find->request["port"] = port; }, "its port")
        ->type_name("PORT")
        ->check(CLI::Range(0, 65535));

    auto why = std::make_shared<std::string>();
    CLI::App* why_word =
        app.add_subcommand("why", "What is done with a host, why, and how it ended");
    why_word->add_option("host", *why, "host name")->required()->type_name("NAME");
    why_word->callback([shared, why] { run_why(*shared, *why); });
}

} // namespace nfqws2::ctl
