#include "serve/api.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <array>

namespace nfqws2::ctl {
namespace {

enum class Kind : char { text, number };
struct Field {
    const char* name;
    Kind kind;
};
struct Command {
    const char* name;
    std::vector<Field> fields;
};

const std::vector<Command>& commands() {
    static const Field address{"address", Kind::text}, host{"host", Kind::text},
        proto{"proto", Kind::text}, l7{"l7", Kind::text}, port{"port", Kind::number},
        profile{"profile", Kind::text}, state{"state", Kind::text}, limit{"limit", Kind::number};
    static const std::vector<Command> all = {
        {"status", {}},
        {"counters", {}},
        {"lists", {}},
        {"hosts", {host, limit}},
        {"learn", {host, {"key", Kind::text}, limit}},
        {"flows", {address, host, proto, l7, port, profile, state, limit}},
        {"find", {address, host, proto, l7, port}},
        {"trace",
         {address,
          host,
          proto,
          l7,
          port,
          profile,
          {"packets", Kind::number},
          {"seconds", Kind::number}}},
    };
    return all;
}

constexpr std::size_t longest = 1000; // of a value

} // namespace

ApiRequest api_request(const std::string& what, const Parameters& parameters) {
    const auto command = std::find_if(commands().begin(), commands().end(),
                                      [&](const Command& c) { return what == c.name; });
    if (command == commands().end()) return {{}, "there is no " + what};
    Json request{{"cmd", what}};
    for (const auto& [key, value] : parameters) {
        const auto field = std::find_if(command->fields.begin(), command->fields.end(),
                                        [&name = key](const Field& f) { return name == f.name; });
        if (field == command->fields.end()) return {{}, "unknown parameter " + key};
        if (value.size() > longest) return {{}, key + " is too long"};
        if (field->kind == Kind::text) {
            request[key] = value;
            continue;
        }
        const auto number = parse_uint(value, 1'000'000'000);
        if (!number) return {{}, key + " is no number"};
        request[key] = *number;
    }
    return {std::move(request), {}};
}

ApiRequest learn_change(const std::string& body) {
    const Json wanted = parse_object(body, 8 * longest).value_or(Json::object());
    const std::string action = text_of(member(wanted, "action"));
    if (action != "pin" && action != "forget") return {{}, "action is pin or forget"};
    Json request{{"cmd", "learn"}, {"action", action}};
    for (const char* key : {"host", "key"}) {
        request[key] = text_of(member(wanted, key));
        if (request[key] == "" || text_of(request[key]).size() > longest)
            return {{}, std::string(key) + " is missing or too long"};
    }
    const Json& strategy = member(wanted, "strategy");
    if (strategy.is_number_unsigned()) request["strategy"] = strategy;
    return {std::move(request), {}};
}

int http_status(const std::string& code) {
    if (code == "bad-request" || code == "bad-field") return 400;
    if (code == "forbidden") return 403;
    if (code == "unknown-command") return 404;
    if (code == "busy") return 503;
    return 500;
}

} // namespace nfqws2::ctl
