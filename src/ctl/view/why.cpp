// Why something happens to a host: the search of a profile explained, and a line of a trace.
#include "ladder/trace_event.hpp"
#include "nfqws2/base/text.hpp"
#include "view/amounts.hpp"
#include "view/parts.hpp"
#include "view/reports.hpp"

namespace nfqws2::ctl {
namespace {

std::string numbered(const Json& profile) {
    const std::string name = text_of(member(profile, "name"));
    return std::to_string(number(profile, "n")) + (name.empty() ? "" : " (" + name + ")");
}

std::string search_text(const Json& search, const Style& style) {
    std::string out;
    for (const Json& p : elements(member(search, "profiles"))) {
        const std::string by = text_of(member(p, "refused_by"));
        out += "  profile " + safe(numbered(p)) + ": ";
        if (by.empty()) {
            out += style.paint(Colour::good, "wins") + "\n";
            continue;
        }
        out += style.paint(Colour::quiet, "refused by --" + safe(by));
        if (const std::string list = text_of(member(p, "list")); !list.empty())
            out += " (" + safe(list) + ": " + safe(text_of(member(p, "entry"))) + ")";
        out += "\n";
    }
    const Json& list = member(search, "hostlist");
    if (const std::string file = text_of(member(list, "list")); !file.empty())
        out +=
            "  its list: " + safe(file) + ", entry " + safe(text_of(member(list, "entry"))) + "\n";
    for (const Json& i : elements(member(search, "instances"))) {
        const bool called = member(i, "called") == true;
        out +=
            "  " +
            style.paint(called ? Colour::accent : Colour::quiet,
                        (called ? "calls " : "does not call ") + safe(text_of(member(i, "call")))) +
            "\n";
    }
    return out;
}

std::string explain_text(const Json& explain, const Style& style) {
    std::string out;
    for (const Json& search : elements(member(explain, "searches"))) {
        const bool informed = member(search, "informed") == true;
        out += style.paint(Colour::strong,
                           informed ? "Once name and protocol are known" : "At the first packet") +
               "\n" + search_text(search, style);
    }
    return out;
}

std::string flow_end(const Json& f) {
    const std::string state = text_of(member(f, "state"));
    const std::int64_t in = received(f);
    if (in > 0) return "answered, " + size_text(in);
    if (number(f, "retransmissions") > 0)
        return "no answer, " + count_text(number(f, "retransmissions")) + " retransmissions";
    return state.empty() ? "no answer yet" : "no data yet (" + state + ")";
}

std::vector<Cell> row_of_set(const Json& set) {
    std::string rules;
    for (const Json& rule : elements(member(set, "rules")))
        rules += (rules.empty() ? "" : ", ") + text_of(rule);
    if (member(set, "more") == true) rules += ", ...";
    const std::string profile = text_of(member(set, "profile"));
    const std::string file = text_of(member(set, "file"));
    const Json& value = member(set, "value");
    return {
        {text_of(member(set, "name")) + (profile.empty() ? "" : " of " + profile), Colour::strong},
        file.empty() ? "(in the rules file)" : file,
        value.is_number() ? std::to_string(number(set, "value")) : "",
        rules};
}

} // namespace

std::string find_report(const Lines& lines, const Style& style) {
    Table table({{"list", false, true},
                 {"kind", false, false},
                 {"entry", false, true},
                 {"profiles", false, false}});
    Table sets({{"set of rules", false, true},
                {"file", false, true},
                {"value", true, false},
                {"rules", false, true}});
    std::string explained, place;
    for (const Json& line : lines) {
        if (const Json& s = member(line, "set"); s.is_object()) sets.add(row_of_set(s));
        if (const Json& p = member(line, "place"); p.is_object())
            place = "country " + safe(text_of(member(p, "country"))) + ", continent " +
                    safe(text_of(member(p, "continent"))) + "\n";
        if (const Json& m = member(line, "match"); m.is_object()) {
            std::string uses;
            for (const Json& use : elements(member(m, "uses")))
                uses += (uses.empty() ? "" : ",") +
                        std::string(member(use, "exclude") == true ? "not in " : "") +
                        std::to_string(number(use, "profile"));
            table.add({text_of(member(m, "file")),
                       text_of(member(m, "kind")),
                       {text_of(member(m, "entry")), Colour::strong},
                       uses});
        }
        if (line.contains("explain")) explained += explain_text(line["explain"], style);
    }
    std::string found = table.empty() ? "no list has it\n" : table.text(style);
    if (!sets.empty()) found += "\n" + sets.text(style);
    if (!place.empty()) found += "\n" + place;
    return explained.empty() ? found : found + "\n" + explained;
}

std::string why_report(const std::string& host, const Lines& find, const Lines& flows,
                       const Style& style) {
    std::string out = style.paint(Colour::strong, safe(host)) + "\n\n" + find_report(find, style);
    Table table({{"server", false, true},
                 {"host", false, true},
                 {"l7", false, false},
                 {"profile", false, true},
                 {"age", true, false},
                 {"result", false, false}});
    for (const Json& line : flows) {
        const Json& f = member(line, "flow");
        if (!f.is_object()) continue;
        const bool good = received(f) > 0;
        table.add({endpoint(member(f, "server")),
                   text_of(member(f, "host")),
                   text_of(member(f, "l7")),
                   profile_name(member(f, "profile")),
                   duration_text(number(f, "age_ms")),
                   {flow_end(f), good ? Colour::good : Colour::bad}});
    }
    out += "\n" + style.paint(Colour::strong, "Connections that are known now") + "\n";
    return out +
           (table.empty() ? std::string("none; make one, and ask again\n") : table.text(style));
}

std::string trace_report(const Json& line, const Style& style) {
    const auto event = parse_trace_line(dump(line));
    if (!event) return {};
    const TraceEvent& e = *event;
    std::string out = format("%9.3f ", e.seconds);
    out += e.incoming ? "in  " : "out ";
    out += safe(e.source + " > " + e.target) + " " + safe(e.flags.empty() ? e.l4 : e.flags);
    if (e.dlen > 0) out += " " + count_text(e.dlen) + " B";
    if (e.payload != "empty" && e.payload != "unknown") out += " " + safe(e.payload);
    if (!e.host.empty()) out += " " + style.paint(Colour::strong, safe(e.host));
    if (!e.profile.empty()) out += " profile " + safe(e.profile);
    out += ": " + style.paint(e.verdict == "accept" ? Colour::quiet : Colour::accent,
                              safe(e.held ? "held" : e.verdict));
    for (const InstanceCall& call : e.calls) {
        if (!call.error.empty())
            out += " " + style.paint(Colour::bad, safe(call.name + ": " + call.error));
        else if (call.sent > 0 || call.verdict != "pass")
            out += " " + style.paint(Colour::accent, safe(call.name + " " + call.verdict)) +
                   (call.sent > 0 ? " +" + std::to_string(call.sent) : "");
    }
    return out + "\n";
}

} // namespace nfqws2::ctl
