#include "report.hpp"

#include "lines.hpp"
#include "numbers.hpp"

#include "nfqws2/base/json.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace nfqws2::probe {

namespace {

std::string file_text(const std::string& path) {
    std::string text;
    each_line(path, [&](const std::string& line) { text += line + '\n'; });
    text.erase(text.find_last_not_of('\n') + 1);
    return text;
}

Finding finding_of(const std::string& line) {
    constexpr std::string_view between = " : ";
    const auto at = line.find(between);
    if (at == std::string::npos) {
        return {line, line, ""};
    }
    return {line, line.substr(0, at), line.substr(at + between.size())};
}

// Of the places in the order in which they come, how many strategies work.
std::vector<std::pair<std::string, std::uint64_t>> counts_of(const Report& report) {
    std::vector<std::pair<std::string, std::uint64_t>> counts;
    for (const Finding& one : report.findings) {
        auto place = std::find_if(counts.begin(), counts.end(),
                                  [&](const auto& pair) { return pair.first == one.place; });
        if (place == counts.end()) {
            place = counts.insert(counts.end(), {one.place, 0});
        }
        place->second += one.is_strategy() ? 1 : 0;
    }
    return counts;
}

void write_findings(JsonWriter& json, const Report& report, bool shortened) {
    constexpr std::uint64_t most_of_a_place = 20;
    constexpr std::uint64_t most = 8000;
    std::map<std::string, std::uint64_t> seen;
    std::uint64_t kept = 0;
    json.key("summary").open_array();
    for (const Finding& one : report.findings) {
        const std::uint64_t nth = ++seen[one.place];
        if (!shortened || nth == 1 || (nth <= most_of_a_place && kept < most)) {
            json.text(one.line);
            ++kept;
        }
    }
    json.close_array();
}

void write_kinds(JsonWriter& json, const Report& report) {
    json.key("blocking").open_array();
    for (const Kind& one : report.kinds) {
        json.open_object();
        json.key("test").text(one.test);
        json.key("ipv");
        one.version.empty() ? json.null() : json.number(leading_number(one.version));
        json.key("domain").text(one.domain);
        json.key("kind").text(one.kind);
        json.key("evidence").text(one.evidence);
        json.close_object();
    }
    json.close_array();
}

} // namespace

bool Finding::is_strategy() const {
    constexpr std::string_view program = "nfqws2 ";
    return value.compare(0, program.size(), program) == 0 && value != "nfqws2 not working";
}

Report::Report(const std::string& folder)
    : options(file_text(folder + "/options")), learn(file_text(folder + "/learn")),
      rules(file_text(folder + "/rules")) {
    each_line(folder + "/report",
              [this](const std::string& line) { findings.push_back(finding_of(line)); });
    each_line(folder + "/kinds", [this](std::string_view line) {
        Kind one;
        for (std::string* field : {&one.test, &one.version, &one.domain, &one.kind}) {
            *field = take_part(line, '\t');
        }
        one.evidence = line;
        kinds.push_back(std::move(one));
    });
    each_line(folder + "/facts", [this](std::string_view line) {
        const std::string name(take_part(line, '\t'));
        facts[name] = line;
    });
}

std::string_view Report::fact(std::string_view name) const {
    const auto found = facts.find(name);
    return found == facts.end() ? std::string_view() : found->second;
}

std::string summary_of(const Report& report, bool shortened) {
    std::string text;
    JsonWriter json(text);
    json.open_object();
    json.key("time").number(leading_number(report.fact("time")));
    write_findings(json, report, shortened);
    if (shortened) {
        json.key("counts").open_object();
        for (const auto& [place, count] : counts_of(report)) {
            json.key(place).number(count);
        }
        json.close_object();
    }
    write_kinds(json, report);
    for (const char* const name : {"test", "curl", "nfqws2", "kernel", "firewall", "dns",
                                   "secure_dns", "domains", "ipvs", "scanlevel"}) {
        json.key(name).text(report.fact(name));
    }
    json.key("repeats").number(leading_number(report.fact("repeats")));
    json.key("engine").text(report.fact("engine"));
    json.key("options").text(report.options);
    json.key("learn").text(report.learn);
    json.close_object();
    return text + '\n';
}

bool report(const Options& options, std::FILE* input, std::FILE* output) {
    switch (options.report) {
    case ReportForm::records:
        return write_records(input, output);
    case ReportForm::page:
        return write_text(page_of(Report(options.folder)), output);
    case ReportForm::whole:
        return write_text(summary_of(Report(options.folder), false), output);
    default:
        return write_text(summary_of(Report(options.folder), true), output);
    }
}

} // namespace nfqws2::probe
