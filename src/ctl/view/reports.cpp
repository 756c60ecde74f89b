#include "view/reports.hpp"

#include "nfqws2/base/text.hpp"
#include "view/amounts.hpp"
#include "view/parts.hpp"

#include <algorithm>

namespace nfqws2::ctl {
namespace {

std::string joined(const Json& array, const char* between) {
    std::string text;
    for (const Json& element : elements(array)) {
        if (!text.empty()) text += between;
        text += element.is_string() ? text_of(element) : dump(element);
    }
    return text;
}

std::string features_text(const Json& features) {
    std::string text;
    const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
    if (!features.is_object()) return text;
    for (const auto& [key, value] : features.items()) {
        if (value == true)
            add(key);
        else if (value.is_number() && value != 0)
            add(key + " " + dump(value));
        else if (value.is_string())
            add(key + " " + text_of(value));
    }
    return text;
}

std::string memory_text(const Json& memory) {
    if (!memory.is_object()) return {};
    std::string text = size_text(number(memory, "rss"));
    std::string parts;
    for (const auto& [key, value] : memory.items()) {
        if (key == "rss" || key == "limit" || !value.is_number_integer() || value == 0) continue;
        parts += (parts.empty() ? "" : ", ") + key + " " + size_text(value.get<std::int64_t>());
    }
    if (!parts.empty()) text += " (" + parts + ")";
    if (number(memory, "limit") > 0) text += " of at most " + size_text(number(memory, "limit"));
    return text;
}

std::string messages_text(const Json& status, const Style& style) {
    std::string out;
    for (const Json& message : elements(member(status, "messages")))
        out += "  " +
               style.paint(Colour::bad, safe_lines(text_of(member(message, "text")), "    ")) +
               "  " + style.paint(Colour::quiet, age_of(number(message, "at")) + " ago") + "\n";
    return out.empty() ? out
                       : "\n" + style.paint(Colour::strong, "Errors since the start") + "\n" + out;
}

const Json& first(const Lines& lines, const char* key) {
    for (const Json& line : lines)
        if (line.contains(key)) return line[key];
    static const Json nothing;
    return nothing;
}

} // namespace

std::string status_report(const Lines& lines, const Style& style) {
    const Json& s = first(lines, "status");
    const std::int64_t errors = number(s, "errors");
    Table profiles({{"n", true, false}, {"profile", false, true}, {"instances", true, false}});
    for (const Json& p : elements(member(s, "profiles")))
        profiles.add(
            {std::to_string(number(p, "n")), text_of(member(p, "name")), count(p, "instances")});
    std::string out =
        pairs({{"version", text_of(member(s, "version"))},
               {"pid", std::to_string(number(s, "pid"))},
               {"running for", duration_text(number(s, "uptime_s") * 1000)},
               {"queue", joined(member(s, "queues"), ", ")},
               {"workers", number(s, "workers") > 1 ? count(s, "workers") : std::string()},
               {"flows", count(s, "flows")},
               {"held packets", number(s, "held") > 0 ? count(s, "held") : std::string()},
               {"memory", memory_text(member(s, "memory"))},
               {"features", features_text(member(s, "features"))},
               {"lists", count(s, "lists")},
               {"config", text_of(member(s, "config"))},
               {"socket", text_of(member(s, "control"))},
               {"errors", {count_text(errors), errors > 0 ? Colour::bad : Colour::good}}},
              style);
    if (!profiles.empty()) out += "\n" + profiles.text(style);
    return out + messages_text(s, style);
}

std::string counters_report(const Lines& lines, const Style& style) {
    const Json& total = first(lines, "total");
    const auto bad = [&](const char* key) {
        return Cell(count(total, key), number(total, key) > 0 ? Colour::bad : Colour::none);
    };
    std::string out = pairs(
        {{"packets", count(total, "packets") + " (" + size_text(number(total, "bytes")) + ")"},
         {"accepted", count(total, "accepted")},
         {"modified", count(total, "modified")},
         {"dropped", count(total, "dropped")},
         {"flows", count(total, "flows") + " now, " + count(total, "flows_seen") + " seen, " +
                       count(total, "flows_evicted") + " evicted"},
         {"held packets", count(total, "held") + " now, " + count(total, "held_seen") + " in all"},
         {"lost by the queue", bad("queue_lost")},
         {"Lua errors", bad("lua_errors")}},
        style);
    Table table({{"profile", false, true},
                 {"instance", false, true},
                 {"flows", true, false},
                 {"packets", true, false},
                 {"called", true, false},
                 {"sent", true, false},
                 {"modified", true, false},
                 {"dropped", true, false},
                 {"errors", true, false}});
    for (const Json& line : lines) {
        const Json& p = member(line, "profile");
        if (!p.is_object()) continue;
        table.add({{profile_name(p), Colour::strong},
                   "",
                   count(p, "flows"),
                   count(p, "packets"),
                   "",
                   "",
                   "",
                   "",
                   ""});
        for (const Json& i : elements(member(p, "instances")))
            table.add({"",
                       text_of(member(i, "name")),
                       "",
                       "",
                       count(i, "called"),
                       count(i, "sent"),
                       count(i, "modified"),
                       count(i, "dropped"),
                       {count(i, "errors"), number(i, "errors") > 0 ? Colour::bad : Colour::none}});
    }
    return table.empty() ? out : out + "\n" + table.text(style);
}

std::string flows_report(const Lines& lines, const Style& style) {
    Table table({{"proto", false, false},
                 {"client", false, true},
                 {"server", false, true},
                 {"host", false, true},
                 {"l7", false, false},
                 {"profile", false, true},
                 {"state", false, false},
                 {"out", true, false},
                 {"in", true, false},
                 {"age", true, false},
                 {"idle", true, false}});
    for (const Json& line : lines) {
        const Json& f = member(line, "flow");
        if (!f.is_object()) continue;
        const Json &client = member(f, "client"), &server = member(f, "server");
        const std::string state = text_of(member(f, "state"));
        const bool waits = number(f, "held") > 0;
        table.add({text_of(member(f, "proto")),
                   endpoint(client),
                   endpoint(server),
                   {text_of(member(f, "host")), Colour::strong},
                   text_of(member(f, "l7")),
                   profile_name(member(f, "profile")),
                   {waits ? state + "*" : state,
                    state == "established" || state == "answered" ? Colour::good : Colour::warn},
                   size_text(number(client, "bytes")),
                   size_text(received(f)),
                   duration_text(number(f, "age_ms")),
                   duration_text(number(f, "idle_ms"))});
    }
    if (table.empty()) return "no flow fits\n";
    return table.text(style);
}

std::string hosts_report(const Lines& lines, const Style& style) {
    Table table({{"host", false, true},
                 {"flows", true, false},
                 {"ended", true, false},
                 {"answered", true, false},
                 {"packets", true, false},
                 {"traffic", true, false},
                 {"profiles", false, false},
                 {"retrans", true, false},
                 {"idle", true, false}});
    for (const Json& line : lines) {
        const Json& h = member(line, "host");
        if (!h.is_object()) continue;
        const Json& past = member(h, "past");
        const auto answered = number(h, "answered") + number(past, "answered");
        table.add({{text_of(member(h, "name")), Colour::strong},
                   count(h, "flows"),
                   count(past, "flows"),
                   {count_text(answered), answered == 0 ? Colour::bad : Colour::good},
                   count(h, "packets"),
                   size_text(number(h, "bytes") + number(past, "bytes")),
                   joined(member(h, "profiles"), ","),
                   count(h, "retransmissions"),
                   number(h, "flows") != 0 ? duration_text(number(h, "idle_ms")) : ""});
    }
    if (table.empty()) return "no host name was seen yet\n";
    return table.text(style);
}

namespace {

double amount(const Json& object, const char* key) {
    const Json& value = member(object, key);
    return value.is_number() ? value.get<double>() : 0;
}

// "2: 90 % of 120", the strategies that were tried most first.
std::string rates_text(const Json& strategies) {
    struct Rate {
        std::int64_t number;
        double ok, all;
    };
    constexpr std::size_t shown = 4;
    std::vector<Rate> rates;
    for (const Json& one : elements(strategies))
        rates.push_back(
            {number(one, "n"), amount(one, "ok"), amount(one, "ok") + amount(one, "bad")});
    std::stable_sort(rates.begin(), rates.end(),
                     [](const Rate& a, const Rate& b) { return a.all > b.all; });
    std::string text;
    for (std::size_t i = 0; i < std::min(rates.size(), shown); i++) {
        const Rate& rate = rates[i];
        text += (text.empty() ? "" : ", ") + std::to_string(rate.number) + ": " +
                format("%.0f %% of %.0f", rate.all > 0 ? 100 * rate.ok / rate.all : 0, rate.all);
    }
    return rates.size() > shown ? text + ", ..." : text;
}

std::int64_t latest(const Json& strategies, const char* key) {
    std::int64_t time = 0;
    for (const Json& one : elements(strategies))
        time = std::max(time, number(one, key));
    return time;
}

std::string ago(std::int64_t time) {
    return time != 0 ? age_of(time) : std::string();
}

} // namespace

std::string learn_report(const Lines& lines, const Style& style) {
    Table table({{"key", false, false},
                 {"host", false, true},
                 {"strategy", true, false},
                 {"successes", false, true},
                 {"worked", true, false},
                 {"failed", true, false}});
    for (const Json& line : lines) {
        const Json& h = member(line, "learn");
        if (!h.is_object()) continue;
        const bool pinned = member(h, "pin").is_number();
        const Json& in_force = member(h, pinned ? "pin" : "strategy");
        const Json& strategies = member(h, "strategies");
        const std::string host = text_of(member(h, "host"));
        table.add(
            {text_of(member(h, "key")),
             {host == "*" ? "(all)" : host, Colour::strong},
             {(in_force.is_number() ? dump(in_force) : std::string()) + (pinned ? " pinned" : ""),
              pinned ? Colour::good : Colour::none},
             rates_text(strategies),
             ago(latest(strategies, "last_ok_at")),
             ago(latest(strategies, "last_bad_at"))});
    }
    if (table.empty()) return "nothing was learned yet\n";
    return table.text(style);
}

std::string lists_report(const Lines& lines, const Style& style) {
    Table table({{"list", false, true},
                 {"kind", false, false},
                 {"entries", true, false},
                 {"size", true, false},
                 {"age", true, false},
                 {"profiles", false, false},
                 {"state", false, false}});
    std::string problems;
    for (const Json& line : lines) {
        const Json& l = member(line, "list");
        if (!l.is_object()) continue;
        std::string uses;
        for (const Json& use : elements(member(l, "uses")))
            uses += (uses.empty() ? "" : ",") +
                    std::string(member(use, "exclude") == true ? "-" : "") +
                    std::to_string(number(use, "profile"));
        const std::string error = text_of(member(l, "error"));
        const bool loading = member(l, "loading") == true, loaded = member(l, "loaded") == true;
        const std::string file = text_of(member(l, "file"));
        const bool automatic = member(l, "automatic") == true;
        table.add({file,
                   text_of(member(l, "kind")) + (automatic ? " (auto)" : ""),
                   count(l, "entries"),
                   size_text(number(l, "size")),
                   age_of(number(l, "modified_at")),
                   uses,
                   {!error.empty() ? "error"
                    : loading      ? "loading"
                    : loaded       ? "loaded"
                                   : "not loaded",
                    !error.empty() || !loaded ? Colour::bad : Colour::good}});
        if (!error.empty()) problems += style.paint(Colour::bad, safe(error)) + "\n";
        for (const Json& warning : elements(member(l, "warnings")))
            problems +=
                style.paint(
                    Colour::warn,
                    safe(file + ": " + (warning.is_string() ? text_of(warning) : dump(warning)))) +
                "\n";
    }
    if (table.empty()) return "there are no lists\n";
    return table.text(style) + (problems.empty() ? "" : "\n") + problems;
}

std::string log_report(const Json& line, const Style& style) {
    const Json& log = member(line, "log");
    if (!log.is_object()) return {};
    const std::string level = text_of(member(log, "level"));
    const Colour colour = level == "error"   ? Colour::bad
                          : level == "debug" ? Colour::quiet
                                             : Colour::none;
    return style.paint(colour, safe_lines(text_of(member(log, "text")), "  ")) + "\n";
}

std::string reload_report(const Lines& lines, const Style& style) {
    std::string out;
    for (const Json& line : lines) {
        const Json& finding = member(line, "finding");
        if (!finding.is_object()) continue;
        const std::string level = safe(text_of(member(finding, "level")));
        out += style.paint(Colour::quiet, level + ": " + finding_text(finding, "  ")) + "\n";
    }
    for (const Json& line : lines) {
        const Json& change = member(line, "change");
        if (!change.is_object()) continue;
        std::string text = text_of(member(change, "what"));
        if (number(change, "n") > 0) text += " " + std::to_string(number(change, "n"));
        if (const std::string name = text_of(member(change, "name")); !name.empty())
            text += " (" + name + ")";
        out += safe(text + ": " + text_of(member(change, "how"))) + "\n";
    }
    if (lines.empty() || member(lines.back(), "end") != true) return out;
    const bool none = number(lines.back(), "count") == 0;
    if (member(lines.back(), "reloaded") == true)
        out += "the new options are in force\n";
    else
        out += none ? "nothing has changed\n" : "nothing was done\n";
    return out;
}

} // namespace nfqws2::ctl
