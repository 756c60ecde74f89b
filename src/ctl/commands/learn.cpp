// "learn": what the orchestrator of this name remembers, as a table or as a file, and changes to
// it.
#include "commands/commands.hpp"

#include "nfqws2/base/text.hpp"
#include "view/parts.hpp"
#include "view/reports.hpp"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>
#include <unordered_map>

namespace nfqws2::ctl {
namespace {

constexpr std::string_view file_header = "nfqws2-store 1";
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF"; // editors put it there
constexpr std::size_t piece_size = 16 * 1024; // of a request, which has at most 64 kB of JSON

struct Order { // NOLINT(bugprone-exception-escape): the move of Json does not throw
    std::string action = "list", subject, strategy, key;
    std::int64_t limit = 0;
    bool all = false;
};

Json request_of(const Order& order) {
    Json request{{"cmd", "learn"}, {"action", order.action}};
    if (!order.key.empty()) request["key"] = order.key;
    if (!order.subject.empty()) request["host"] = order.subject;
    return request;
}

void show(const Shared& shared, const Order& order) {
    Connection daemon = shared.connect();
    Json request = request_of(order);
    request["limit"] = order.limit;
    if (!shared.json) return print(learn_report(daemon.ask(request), Style::of_output()));
    daemon.ask(request, [](const Json& line) {
        print(dump(line) + "\n");
        return true;
    });
}

void print_end(const Shared& shared, const Json& end) {
    if (shared.json) return print(dump(end) + "\n");
    std::string text = std::to_string(number(end, "count")) + " records\n";
    const auto add = [&](const char* key, const char* what) {
        if (const auto count = number(end, key); count > 0) text += std::to_string(count) + what;
    };
    add("older", " records have expired or are older than what is known, left out\n");
    add("damaged", " lines cannot be understood, left out\n");
    add("no_room", " records do not fit (--store-max), left out\n");
    print(text);
}

void pin(const Shared& shared, const Order& order) {
    Json request = request_of(order);
    const auto strategy = parse_uint(order.strategy, 65535);
    if (order.subject.empty() || (!strategy && order.strategy != "off"))
        throw Failure("learn pin needs a host and the number of a strategy, or 'off'");
    if (strategy) request["strategy"] = *strategy;
    print_end(shared, shared.connect().ask_for_end(request));
}

void forget(const Shared& shared, const Order& order) {
    // No host has this name, and nobody who writes it means one.
    const bool everything = order.all || order.subject == "all";
    Order about = order;
    if (order.subject == "all") about.subject.clear();
    Json request = request_of(about);
    if (everything) request["all"] = true;
    print_end(shared, shared.connect().ask_for_end(request));
}

void write_file(const Shared& shared, const Order& order) {
    Connection daemon = shared.connect();
    std::string text = std::string(file_header) + "\n";
    daemon.ask(request_of(order), [&](const Json& line) {
        if (line.contains("record")) text += text_of(line["record"]) + "\n";
        return true;
    });
    print(text);
}

std::string contents_of(const std::string& file) {
    std::ostringstream text;
    if (file.empty() || file == "-") {
        text << std::cin.rdbuf();
        return text.str();
    }
    std::ifstream in(file);
    if (!in) throw Failure("cannot open '" + file + "'");
    text << in.rdbuf();
    return text.str();
}

std::string_view key_of(std::string_view line) {
    return line.substr(0, line.find('\t'));
}

// What counts most comes first, since not all may fit: what somebody has pinned, then the sums of
// all hosts.
int rank_of(std::string_view line) {
    if (line.find("\tpin=") != std::string_view::npos) return 0;
    return key_of(line).find("/*/") != std::string_view::npos ? 1 : 2;
}

// Lines of one key stay in their order, since of equal ones the last counts.
std::vector<std::string_view> lines_of_file(std::string_view text) {
    std::vector<std::string_view> lines = split(text, '\n');
    lines.erase(lines.begin()); // the header
    std::unordered_map<std::string_view, int> ranks;
    for (const std::string_view line : lines) {
        int& rank = ranks.try_emplace(key_of(line), rank_of(line)).first->second;
        rank = std::min(rank, rank_of(line));
    }
    std::ranges::stable_sort(lines, {}, [&](std::string_view line) { return ranks[key_of(line)]; });
    return lines;
}

void read_file(const Shared& shared, const Order& order) {
    const std::string contents = contents_of(order.subject);
    std::string_view text = contents;
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    if (!text.starts_with(file_header)) throw Failure("this is no file of a store");
    Connection daemon = shared.connect();
    Json sum{{"count", 0}, {"damaged", 0}, {"older", 0}, {"no_room", 0}, {"end", true}};
    std::string piece;
    const auto send = [&] {
        if (piece.empty()) return;
        const Json end = daemon.ask_for_end(
            {{"cmd", "learn"}, {"action", "import"}, {"records", std::exchange(piece, {})}});
        for (const char* key : {"count", "damaged", "older", "no_room"})
            sum[key] = number(sum, key) + number(end, key);
    };
    for (const std::string_view line : lines_of_file(text)) {
        piece += std::string(line) + "\n";
        if (piece.size() >= piece_size) send();
    }
    send();
    print_end(shared, sum);
}

void run(const Shared& shared, const Order& order) {
    if (order.action == "pin") return pin(shared, order);
    if (order.action == "forget") return forget(shared, order);
    if (order.action == "export") return write_file(shared, order);
    if (order.action == "import") return read_file(shared, order);
    show(shared, order);
}

} // namespace

void add_learn(CLI::App& app, const SharedPtr& shared) {
    auto order = std::make_shared<Order>();
    CLI::App* word =
        app.add_subcommand("learn", "Which strategies were learned, and changes to it");
    word->add_option("action", order->action, "list, pin, forget, export, import")
        ->type_name("ACTION")
        ->check(CLI::IsMember({"list", "pin", "forget", "export", "import"}));
    word->add_option("host", order->subject, "host; of import the file, default standard input")
        ->type_name("HOST|FILE");
    word->add_option("strategy", order->strategy, "of pin: its number, or off")->type_name("N|off");
    word->add_option("-k,--key", order->key, "key= of the instance")->type_name("NAME");
    word->add_option("-n,--limit", order->limit, "at most so many hosts, 0: all")
        ->type_name("N")
        ->check(CLI::Range(0, 10'000'000));
    word->add_flag("--all", order->all, "of forget: everything");
    word->callback([shared, order] { run(*shared, *order); });
}

} // namespace nfqws2::ctl
