#include "check/report.hpp"

#include "nfqws2/base/json.hpp"
#include "nfqws2/base/sort.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>

namespace nfqws2::app {
namespace {

std::string counted(std::size_t n, const char* what) {
    return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

} // namespace

const char* name(Level level) {
    switch (level) {
    case Level::error:
        return "error";
    case Level::warning:
        return "warning";
    case Level::notice:
        break;
    }
    return "notice";
}

void Report::add(Level level, std::optional<std::size_t> position, std::string text) {
    Finding finding{level, position, {}, std::move(text)};
    if (position && *position < state_.option_at.size())
        finding.option = state_.option_at[*position];
    findings_.push_back(std::move(finding));
}

std::size_t Report::count(Level level) const {
    return static_cast<std::size_t>(
        std::count_if(findings_.begin(), findings_.end(),
                      [level](const Finding& finding) { return finding.level == level; }));
}

void Report::sort() {
    sort_stably(findings_, [](const Finding& a, const Finding& b) {
        return a.position.value_or(SIZE_MAX) < b.position.value_or(SIZE_MAX);
    });
}

std::string Report::text() {
    sort();
    std::string out;
    for (const Finding& finding : findings_) {
        out += std::string(name(finding.level)) + ": ";
        if (!finding.option.empty()) out += "option '--" + finding.option + "' ";
        if (finding.position) out += "(" + arguments_.where(*finding.position) + "): ";
        out += finding.text + "\n";
    }
    out += "check: " + counted(count(Level::error), "error") + ", " +
           counted(count(Level::warning), "warning") + ", " +
           counted(count(Level::notice), "notice") + "\n";
    return out;
}

std::string Report::json() {
    sort();
    std::string out;
    JsonWriter json(out);
    json.open_object();
    json.key("errors").number(count(Level::error));
    json.key("warnings").number(count(Level::warning));
    json.key("notices").number(count(Level::notice));
    json.key("findings").open_array();
    for (const Finding& finding : findings_) {
        json.open_object();
        json.key("level").text(name(finding.level));
        json.key("option").text_or_null(finding.option);
        json.key("where").text_or_null(finding.position ? arguments_.where(*finding.position) : "");
        json.key("text").text(finding.text);
        json.close_object();
    }
    json.close_array();
    json.close_object();
    return out + "\n";
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known) {
    const std::string_view best = nearest(word, known);
    return best.empty() ? "" : " (did you mean '" + std::string(best) + "'?)";
}

} // namespace nfqws2::app
