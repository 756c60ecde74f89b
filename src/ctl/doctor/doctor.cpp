#include "doctor/doctor.hpp"

#include "doctor/checks.hpp"

#include <algorithm>

namespace nfqws2::ctl {
namespace {

Colour colour_of(Gravity gravity) {
    switch (gravity) {
    case Gravity::problem:
        return Colour::bad;
    case Gravity::warning:
        return Colour::warn;
    case Gravity::note:
        break;
    }
    return Colour::quiet;
}

} // namespace

const char* name_of(Gravity gravity) {
    switch (gravity) {
    case Gravity::problem:
        return "problem";
    case Gravity::warning:
        return "warning";
    case Gravity::note:
        break;
    }
    return "note";
}

Findings examine(const Facts& facts) {
    Findings findings;
    for (const Check check : all_checks)
        check(facts, findings);
    return findings;
}

std::string findings_text(const Findings& findings, const Style& style) {
    Findings sorted = findings;
    std::ranges::stable_sort(sorted, {}, &Finding::gravity);
    if (sorted.empty()) return style.paint(Colour::good, "nothing found") + "\n";
    std::string text;
    for (const Finding& finding : sorted) {
        text += style.paint(colour_of(finding.gravity), name_of(finding.gravity)) + " " +
                style.paint(Colour::strong, safe(finding.code));
        if (!finding.where.empty()) text += " (" + safe(finding.where) + ")";
        text += "\n  " + safe_lines(finding.text, "  ") + "\n  -> " + safe(finding.advice) + "\n";
    }
    return text;
}

Json findings_list(const Findings& findings) {
    Json list = Json::array();
    for (const Finding& finding : findings)
        list.push_back({{"code", finding.code},
                        {"level", name_of(finding.gravity)},
                        {"where", finding.where.empty() ? Json() : Json(finding.where)},
                        {"text", finding.text},
                        {"advice", finding.advice}});
    return list;
}

std::string findings_json(const Findings& findings) {
    std::string text;
    for (const Json& one : findings_list(findings))
        text += dump({{"finding", one}}) + "\n";
    return text + dump({{"end", true}, {"count", findings.size()}}) + "\n";
}

bool is_ill(const Findings& findings) {
    return std::ranges::any_of(
        findings, [](const Finding& finding) { return finding.gravity != Gravity::note; });
}

} // namespace nfqws2::ctl
