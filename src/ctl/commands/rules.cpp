// "rules" and "marks": what traffic rules have counted and remember, and changes to it.
#include "commands/commands.hpp"

#include "view/parts.hpp"
#include "view/reports.hpp"

namespace nfqws2::ctl {
namespace {

struct RulesOrder {
    std::string action, state;
    std::int64_t limit = 10;
};

void run_rules(const Shared& shared, const RulesOrder& order) {
    Connection daemon = shared.connect();
    if (!order.action.empty()) {
        if (order.state.empty()) throw Failure("rules observe needs 'on' or 'off'");
        const Json end = daemon.ask_for_end({{"cmd", "rules"}, {"observe", order.state}});
        if (shared.json) return print(dump(end) + "\n");
        return print(order.state == "on" ? "nothing is dropped, all is counted\n"
                                         : "the rules are in force\n");
    }
    const Json request{{"cmd", "rules"}, {"limit", order.limit}};
    if (!shared.json) return print(rules_report(daemon.ask(request), Style::of_output()));
    daemon.ask(request, [](const Json& line) {
        print(dump(line) + "\n");
        return true;
    });
}

struct MarksOrder {
    std::string action = "list";
    std::vector<std::string> words; // KIND ID ADDRESS [PEER]
    std::string protocol;
    std::int64_t port = 0, peer_port = 0, value = 0, lifetime = 0, limit = 1000;
};

Json marks_request(const MarksOrder& order) {
    Json request{{"cmd", "marks"}, {"action", order.action}};
    static constexpr const char* names[] = {"kind", "id", "address", "peer"};
    for (std::size_t i = 0; i < order.words.size(); i++) {
        if (i != 1) {
            request[names[i]] = order.words[i];
            continue;
        }
        std::int64_t id = 0;
        if (!CLI::detail::lexical_cast(order.words[i], id))
            throw Failure("'" + order.words[i] + "' is no number of a mark");
        request["id"] = id;
    }
    if (!order.protocol.empty()) request["protocol"] = order.protocol;
    if (order.port != 0) request["port"] = order.port;
    if (order.peer_port != 0) request["peer_port"] = order.peer_port;
    if (order.action == "list") request["limit"] = order.limit;
    if (order.action != "set") return request;
    request["value"] = order.value;
    request["lifetime_s"] = order.lifetime;
    return request;
}

void run_marks(const Shared& shared, const MarksOrder& order) {
    Connection daemon = shared.connect();
    const Json request = marks_request(order);
    if (order.action != "list") {
        const Json end = daemon.ask_for_end(request);
        return print(shared.json ? dump(end) + "\n" : count(end, "count") + " marks\n");
    }
    if (!shared.json) return print(marks_report(daemon.ask(request), Style::of_output()));
    daemon.ask(request, [](const Json& line) {
        print(dump(line) + "\n");
        return true;
    });
}

} // namespace

void add_rules(CLI::App& app, const SharedPtr& shared) {
    auto order = std::make_shared<RulesOrder>();
    CLI::App* rules = app.add_subcommand("rules", "Traffic rules: hits, meters, fastest keys");
    rules->add_option("action", order->action, "observe: count without dropping")
        ->type_name("observe")
        ->check(CLI::IsMember({"observe"}));
    rules->add_option("state", order->state, "of observe")
        ->type_name("on|off")
        ->check(CLI::IsMember({"on", "off"}));
    rules->add_option("-n,--limit", order->limit, "at most so many keys")
        ->type_name("N")
        ->check(CLI::Range(0, 1000));
    rules->callback([shared, order] { run_rules(*shared, *order); });

    auto of_marks = std::make_shared<MarksOrder>();
    CLI::App* marks = app.add_subcommand("marks", "Marks of traffic rules, and changes to them");
    marks->add_option("action", of_marks->action, "list, set, delete")
        ->type_name("ACTION")
        ->check(CLI::IsMember({"list", "set", "delete"}));
    marks
        ->add_option("mark", of_marks->words,
                     "hmark, dhmark, sdhmark or connmark; its id; addresses")
        ->type_name("KIND ID ADDRESS PEER")
        ->expected(0, 4);
    marks->add_option("-p,--port", of_marks->port, "of connmark, at ADDRESS")
        ->type_name("PORT")
        ->check(CLI::Range(0, 65535));
    marks->add_option("--peer-port", of_marks->peer_port, "of connmark, at PEER")
        ->type_name("PORT")
        ->check(CLI::Range(0, 65535));
    marks->add_option("--proto", of_marks->protocol, "of connmark")->type_name("tcp|udp|N");
    marks->add_option("--value", of_marks->value, "of set")
        ->type_name("N")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{UINT32_MAX}));
    marks->add_option("--lifetime", of_marks->lifetime, "of set: seconds, 0: for ever")
        ->type_name("N")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{UINT32_MAX}));
    marks->add_option("-n,--limit", of_marks->limit, "at most so many marks, 0: all")
        ->type_name("N")
        ->check(CLI::Range(0, 10'000'000));
    marks->callback([shared, of_marks] { run_marks(*shared, *of_marks); });
}

} // namespace nfqws2::ctl
