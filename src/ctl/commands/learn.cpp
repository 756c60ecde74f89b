// "learn": what the orchestrator of this name remembers, as a table or as a file, and changes to
// it.
#include "commands/commands.hpp"

#include "nfqws2/base/text.hpp"
#include "view/parts.hpp"
#include "view/reports.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>
#include <unordered_map>
#include <utility>
#include <vector>

namespace nfqws2::ctl {
namespace {

constexpr std::string_view file_header = "nfqws2-store 1";
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
    print(std::to_string(number(end, "count")) + " records\n");
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

// More than all stores may have; a device has no end.
constexpr std::size_t longest_file = 256 << 20;

std::string all_of(std::istream& in) {
    std::string text;
    for (std::array<char, 65536> piece; in.read(piece.data(), piece.size()), in.gcount() > 0;) {
        text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
        if (text.size() > longest_file) throw Failure("this is no file of a store: it is too long");
    }
    return text;
}

std::string contents_of(const std::string& file) {
    if (file.empty() || file == "-") return all_of(std::cin);
    std::ifstream in(file);
    if (!in) throw Failure("cannot open '" + file + "'");
    return all_of(in);
}

// A line of a file, and where it stands there.
struct Line {
    std::string_view text;
    std::size_t number = 0;

    std::string_view key() const { return text.substr(0, text.find('\t')); }
};

// What counts most comes first, since not all may fit: what somebody has pinned, then the sums of
// all hosts.
int rank_of(const Line& line) {
    if (line.text.find("\tpin=") != std::string_view::npos) return 0;
    return line.key().find("/*/") != std::string_view::npos ? 1 : 2;
}

// Lines of one key stay in their order, since of equal ones the last counts.
std::vector<Line> lines_of_file(std::string_view text) {
    std::vector<Line> lines;
    for (const std::string_view line : split(text, '\n'))
        lines.push_back({line, lines.size() + 1});
    lines.erase(lines.begin()); // the header
    std::unordered_map<std::string_view, int> ranks;
    for (const Line& line : lines) {
        int& rank = ranks.try_emplace(line.key(), rank_of(line)).first->second;
        rank = std::min(rank, rank_of(line));
    }
    std::ranges::stable_sort(lines, {}, [&](const Line& line) { return ranks[line.key()]; });
    return lines;
}

constexpr std::array counts{"count", "older", "damaged", "no_room"};
constexpr std::array places{"damaged_lines", "no_room_lines"};

// The lines of a file on their way, in requests that are not too long.
class Import {
  public:
    explicit Import(Connection& daemon) : daemon_(daemon) {}
    void send(const Line& line) {
        piece_ += std::string(line.text) + "\n";
        numbers_.push_back(line.number);
        if (piece_.size() >= piece_size) flush();
    }
    // As the end of one request, with the numbers of lines of the file.
    Json finish() {
        flush();
        Json sum{{"end", true}};
        for (std::size_t i = 0; i < counts.size(); i++)
            sum[counts[i]] = sums_[i];
        for (std::size_t i = 0; i < places.size(); i++) {
            std::ranges::sort(lines_[i]); // sent in another order
            sum[places[i]] = lines_[i];
        }
        return sum;
    }

  private:
    void flush() {
        if (piece_.empty()) return;
        const Json end = daemon_.ask_for_end(
            {{"cmd", "learn"}, {"action", "import"}, {"records", std::exchange(piece_, {})}});
        for (std::size_t i = 0; i < counts.size(); i++)
            sums_[i] += number(end, counts[i]);
        for (std::size_t i = 0; i < places.size(); i++)
            for (const Json& line : elements(member(end, places[i]))) {
                const auto at = static_cast<std::size_t>(integer_of(line).value_or(0)) - 1;
                if (at < numbers_.size()) lines_[i].push_back(numbers_[at]);
            }
        numbers_.clear();
    }

    Connection& daemon_;
    std::string piece_;
    std::vector<std::size_t> numbers_; // of the lines of the piece
    std::array<std::int64_t, counts.size()> sums_{};
    std::array<std::vector<std::size_t>, places.size()> lines_;
};

// ": FILE:3, FILE:7"
std::string places_text(const std::string& file, const Json& lines, std::int64_t count) {
    constexpr std::size_t most = 10;
    std::string text;
    for (std::size_t i = 0; i < lines.size() && i < most; i++)
        text += (i == 0 ? ": " : ", ") + file + ":" + dump(lines[i]);
    return text + (static_cast<std::int64_t>(most) < count && !text.empty() ? ", ..." : "");
}

std::string import_text(const std::string& file, const Json& sum) {
    std::string text = std::to_string(number(sum, "count")) + " records\n";
    const auto add = [&](const char* key, const char* what, const char* lines) {
        const auto count = number(sum, key);
        if (count <= 0) return;
        text += std::to_string(count) + what;
        if (lines != nullptr) text += places_text(file, sum[lines], count);
        text += "\n";
    };
    add("older", " records have expired or are older than what is known, left out", nullptr);
    add("damaged", " lines cannot be understood, left out", "damaged_lines");
    add("no_room", " records do not fit (--store-max), left out", "no_room_lines");
    return text;
}

void read_file(const Shared& shared, const Order& order) {
    const bool is_file = !order.subject.empty() && order.subject != "-";
    const std::string contents = contents_of(order.subject);
    const std::string_view text = without_byte_order_mark(contents);
    if (!text.starts_with(file_header)) throw Failure("this is no file of a store");
    Connection daemon = shared.connect();
    Import import(daemon);
    for (const Line& line : lines_of_file(text))
        import.send(line);
    const Json sum = import.finish();
    print(shared.json ? dump(sum) + "\n"
                      : import_text(is_file ? order.subject : "standard input", sum));
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
