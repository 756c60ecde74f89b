#include "list_update.hpp"

#include "nfqws2/base/text.hpp"
#include "view/amounts.hpp"

namespace nfqws2::ctl {
namespace {

// What stands before the first blank; times have a readable form behind it.
std::int64_t leading_number(std::string_view value) {
    constexpr std::uint64_t most = 253402300799; // the year 9999
    return static_cast<std::int64_t>(
        parse_uint(value.substr(0, value.find(' ')), most).value_or(0));
}

std::string between(std::int64_t from, std::int64_t to) {
    return duration_text(to > from ? (to - from) * 1000 : 0);
}

} // namespace

ListUpdate parse_list_update(std::string_view text) {
    ListUpdate update;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        const std::size_t sign = line.find('=');
        if (sign == std::string_view::npos) continue;
        const std::string_view name = line.substr(0, sign), value = line.substr(sign + 1);
        if (name == "script") update.script = value;
        if (name == "result") update.result = value;
        if (name == "text") update.text = value;
        if (name == "time") update.time = leading_number(value);
        if (name == "success") update.success = leading_number(value);
        if (name == "next") update.next = leading_number(value);
        if (name == "failures") update.failures = leading_number(value);
    }
    return update;
}

std::string list_update_report(const ListUpdate& update, std::int64_t now, const Style& style) {
    if (!update.known()) return {};
    std::string line =
        "list update " + safe(update.script) + ": " +
        style.paint(update.failed() ? Colour::bad : Colour::good, safe(update.result)) + " " +
        between(update.time, now) + " ago";
    if (!update.text.empty()) line += " (" + safe(update.text) + ")";
    line += "\n";
    if (!update.failed()) return line;
    line += "  failures in succession: " + std::to_string(update.failures) + "; last good one: " +
            (update.success > 0 ? between(update.success, now) + " ago" : "none");
    if (update.next > now) line += "; next try in " + between(now, update.next);
    return line + "\n";
}

} // namespace nfqws2::ctl
