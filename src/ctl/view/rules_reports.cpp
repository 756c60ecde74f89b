#include "view/amounts.hpp"
#include "view/parts.hpp"
#include "view/reports.hpp"

namespace nfqws2::ctl {
namespace {

const Json& summary_of(const Lines& lines) {
    static const Json none;
    for (const Json& line : lines)
        if (line.contains("rules")) return line["rules"];
    return none;
}

std::string table_text(const Json& table) {
    return count(table, "entries") + " in " + size_text(number(table, "memory")) +
           (number(table, "evicted") > 0 ? ", " + count(table, "evicted") + " evicted" : "");
}

std::string rules_table(const Lines& lines, const Style& style) {
    Table table({{"profile", false, false},
                 {"rule", false, true},
                 {"packets", true, false},
                 {"traffic", true, false},
                 {"dropped", true, false}});
    for (const Json& line : lines) {
        const Json& rule = member(line, "rule");
        if (!rule.is_object()) continue;
        const bool hit = number(rule, "packets") > 0;
        table.add(
            {text_of(member(rule, "profile")),
             {text_of(member(rule, "name")), hit ? Colour::strong : Colour::quiet},
             count(rule, "packets"),
             size_text(number(rule, "bytes")),
             {count(rule, "dropped"), number(rule, "dropped") > 0 ? Colour::bad : Colour::none}});
    }
    return table.empty() ? std::string() : "\n" + table.text(style);
}

std::string counters_table(const Lines& lines, const Style& style) {
    Table table({{"counter", false, true},
                 {"packets", true, false},
                 {"traffic", true, false},
                 {"last", true, false}});
    for (const Json& line : lines) {
        const Json& counter = member(line, "counter");
        if (!counter.is_object()) continue;
        const bool seen = member(counter, "idle_ms").is_number();
        table.add({text_of(member(counter, "name")), count(counter, "packets"),
                   size_text(number(counter, "bytes")),
                   seen ? duration_text(number(counter, "idle_ms")) : std::string()});
    }
    return table.empty() ? std::string() : "\n" + table.text(style);
}

std::string meters_table(const Lines& lines, const Style& style) {
    Table table({{"meter", false, true},
                 {"buckets", true, false},
                 {"exceed", true, false},
                 {"violate", true, false},
                 {"no room", true, false}});
    for (const Json& line : lines) {
        const Json& meter = member(line, "meter");
        if (!meter.is_object()) continue;
        table.add({text_of(member(meter, "kind")) + " " + count(meter, "id"),
                   count(meter, "buckets"), count(meter, "exceed"), count(meter, "violate"),
                   count(meter, "buckets_full")});
    }
    return table.empty() ? std::string() : "\n" + table.text(style);
}

std::string sources_table(const Lines& lines, const Style& style) {
    Table table({{"tcpauth", false, true},
                 {"sources", true, false},
                 {"challenged", true, false},
                 {"passed", true, false}});
    for (const Json& line : lines) {
        const Json& one = member(line, "tcpauth");
        if (!one.is_object()) continue;
        table.add({count(one, "id"), count(one, "sources"), count(one, "challenged"),
                   count(one, "passed")});
    }
    return table.empty() ? std::string() : "\n" + table.text(style);
}

std::string top_table(const Lines& lines, const Style& style) {
    Table table({{"fastest", false, true},
                 {"meter", true, false},
                 {"packets/s", true, false},
                 {"bits/s", true, false}});
    for (const Json& line : lines) {
        const Json& one = member(line, "top");
        if (!one.is_object()) continue;
        const std::string address = text_of(member(one, "address"));
        table.add(
            {{address.empty() ? "key " + text_of(member(one, "key")) : address, Colour::strong},
             count(one, "id"),
             count(one, "pps"),
             count(one, "bps")});
    }
    return table.empty() ? std::string() : "\n" + table.text(style);
}

std::string side_text(const Json& mark, const char* address, const char* port) {
    const std::string text = text_of(member(mark, address));
    if (!member(mark, port).is_number()) return text;
    return endpoint(Json{{"address", text}, {"port", number(mark, port)}});
}

} // namespace

std::string rules_report(const Lines& lines, const Style& style) {
    const Json& summary = summary_of(lines);
    const bool observe = member(summary, "observe") == true;
    std::string text = pairs({{"file", text_of(member(summary, "file"))},
                              {"packets", count(summary, "packets")},
                              {"dropped",
                               {count(summary, "dropped") + (observe ? " (observed only)" : ""),
                                observe ? Colour::bad : Colour::none}},
                              {"marks", table_text(member(summary, "marks"))},
                              {"buckets", table_text(member(summary, "buckets"))},
                              {"sources", table_text(member(summary, "sources"))}},
                             style);
    return text + rules_table(lines, style) + counters_table(lines, style) +
           meters_table(lines, style) + sources_table(lines, style) + top_table(lines, style);
}

std::string marks_report(const Lines& lines, const Style& style) {
    Table table({{"kind", false, false},
                 {"id", true, false},
                 {"address", false, true},
                 {"peer", false, true},
                 {"value", true, false},
                 {"age", true, false},
                 {"lifetime", true, false},
                 {"state", false, false}});
    for (const Json& line : lines) {
        const Json& mark = member(line, "mark");
        if (!mark.is_object()) continue;
        const std::int64_t lifetime = number(mark, "lifetime_ms");
        const bool valid = member(mark, "valid") == true;
        table.add(
            {text_of(member(mark, "kind")),
             count(mark, "id"),
             {member(mark, "address").is_null() ? "(hash)" : side_text(mark, "address", "port"),
              Colour::strong},
             side_text(mark, "peer", "peer_port"),
             count(mark, "value"),
             duration_text(number(mark, "age_ms")),
             lifetime != 0 ? duration_text(lifetime) : std::string("for ever"),
             {valid ? "valid" : "expired", valid ? Colour::good : Colour::quiet}});
    }
    if (table.empty()) return "there is no such mark\n";
    return table.text(style);
}

} // namespace nfqws2::ctl
