#include "view/top.hpp"

#include "view/amounts.hpp"
#include "view/parts.hpp"

#include <algorithm>
#include <map>

namespace nfqws2::ctl {
namespace {

const Json& total_of(const Lines& counters) {
    static const Json nothing;
    for (const Json& line : counters)
        if (line.contains("total")) return line["total"];
    return nothing;
}

std::int64_t traffic(const Json& flow) {
    return number(member(flow, "client"), "bytes") + received(flow);
}

// Unique as long as the daemon runs.
std::string flow_id(const Json& flow) {
    return std::to_string(number(flow, "worker")) + "/" + std::to_string(number(flow, "id"));
}

std::string heading(const Look& before, const Look& now, double span, const Style& style) {
    const Json &was = total_of(before.counters), &is = total_of(now.counters);
    const auto rate = [&](const char* key) {
        return rate_text(static_cast<double>(number(is, key) - number(was, key)) / span);
    };
    const auto bytes = static_cast<double>(number(is, "bytes") - number(was, "bytes")) / span;
    std::string out = style.paint(Colour::strong, "nfqws2") + " pid " +
                      std::to_string(number(now.status, "pid")) + ", up " +
                      duration_text(number(now.status, "uptime_s") * 1000) + ", " +
                      size_text(number(member(now.status, "memory"), "rss")) + ", " +
                      count(is, "flows") + " flows\n";
    out += rate("packets") + " packets/s, " +
           size_text(static_cast<std::int64_t>(std::max(bytes, 0.0))) + "/s, modified " +
           rate("modified") + "/s, dropped " + rate("dropped") + "/s, new flows " +
           rate("flows_seen") + "/s";
    if (const std::int64_t lost = number(is, "queue_lost"); lost > 0)
        out += ", " + style.paint(Colour::bad, "lost " + count_text(lost));
    if (const std::int64_t errors = number(is, "lua_errors"); errors > 0)
        out += ", " + style.paint(Colour::bad, "Lua errors " + count_text(errors));
    return out + "\n";
}

std::string profiles(const Look& before, const Look& now, double span, const Style& style) {
    std::map<std::int64_t, const Json*> old;
    for (const Json& line : before.counters)
        if (const Json& p = member(line, "profile"); p.is_object()) old[number(p, "n")] = &p;
    Table table({{"profile", false, true},
                 {"packets/s", true, false},
                 {"flows/s", true, false},
                 {"packets", true, false}});
    for (const Json& line : now.counters) {
        const Json& p = member(line, "profile");
        if (!p.is_object()) continue;
        const auto was = old.find(number(p, "n"));
        const auto rate = [&](const char* key) {
            const std::int64_t then = was == old.end() ? 0 : number(*was->second, key);
            return rate_text(static_cast<double>(number(p, key) - then) / span);
        };
        table.add({{profile_name(p), Colour::strong},
                   rate("packets"),
                   rate("flows"),
                   count(p, "packets")});
    }
    return table.empty() ? std::string() : "\n" + table.text(style);
}

std::string flows(const Look& before, const Look& now, double span, const Style& style,
                  std::size_t rows) {
    std::map<std::string, std::int64_t> old;
    for (const Json& line : before.flows)
        if (const Json& f = member(line, "flow"); f.is_object()) old[flow_id(f)] = traffic(f);
    std::vector<std::pair<double, const Json*>> busy;
    for (const Json& line : now.flows) {
        const Json& f = member(line, "flow");
        if (!f.is_object()) continue;
        const auto was = old.find(flow_id(f));
        const std::int64_t then = was == old.end() ? 0 : was->second;
        busy.emplace_back(static_cast<double>(traffic(f) - then) / span, &f);
    }
    std::stable_sort(busy.begin(), busy.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    Table table({{"rate", true, false},
                 {"server", false, true},
                 {"host", false, true},
                 {"l7", false, false},
                 {"profile", false, true},
                 {"state", false, false}});
    for (std::size_t i = 0; i < busy.size() && i < rows; i++) {
        const Json& f = *busy[i].second;
        table.add({size_text(static_cast<std::int64_t>(std::max(busy[i].first, 0.0))) + "/s",
                   endpoint(member(f, "server")),
                   {text_of(member(f, "host")), Colour::strong},
                   text_of(member(f, "l7")),
                   profile_name(member(f, "profile")),
                   text_of(member(f, "state"))});
    }
    return table.empty() ? std::string() : "\n" + table.text(style);
}

} // namespace

std::string top_report(const Look& before, const Look& now, const Style& style, std::size_t rows) {
    const double span = std::max(now.seconds - before.seconds, 0.001);
    std::string out = heading(before, now, span, style) + profiles(before, now, span, style);
    const auto used = static_cast<std::size_t>(std::count(out.begin(), out.end(), '\n')) + 2;
    return out + flows(before, now, span, style, rows == 0 ? 20 : rows > used ? rows - used : 0);
}

} // namespace nfqws2::ctl
