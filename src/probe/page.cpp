#include "report.hpp"

#include <cctype>
#include <cstddef>

namespace nfqws2::probe {

namespace {

constexpr std::string_view beginning =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\"><title>blockcheck2</title>\n"
    "<meta name=\"viewport\" content=\"width=device-width\"><style>\n"
    ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}"
    "body{max-width:60rem;margin:2rem auto;padding:0 1rem}\n"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;"
    "padding:.3rem .6rem;border-bottom:1px solid #8886;overflow-wrap:anywhere}\n"
    "pre{padding:1rem;overflow-x:auto;background:#8882}code{overflow-wrap:anywhere}"
    "h2{margin-top:2rem}</style></head><body>\n";

std::string escaped(std::string_view text) {
    std::string all;
    for (const char c : text) {
        switch (c) {
        case '&':
            all += "&amp;";
            break;
        case '<':
            all += "&lt;";
            break;
        case '>':
            all += "&gt;";
            break;
        case '"':
            all += "&quot;";
            break;
        default:
            all += c;
        }
    }
    return all;
}

// "curl_test_https_tls12 ipv4 site" is for programs.
std::string readable(std::string_view place) {
    constexpr std::string_view prefix = "curl_test_";
    if (place.substr(0, prefix.size()) == prefix) {
        place.remove_prefix(prefix.size());
    }
    std::string text(place);
    for (std::size_t n = 0; n < text.size() && text[n] != ' '; ++n) {
        text[n] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[n])));
    }
    return text;
}

std::string row(std::string_view a, std::string_view b, std::string_view c) {
    return "<tr><td>" + escaped(a) + "</td><td>" + escaped(b) + "</td><td>" + escaped(c) +
           "</td></tr>\n";
}

std::string table(std::string_view heads, const std::string& rows) {
    return "<table><tr>" + std::string(heads) + "</tr>\n" + rows + "</table>\n";
}

std::string section(std::string_view title, const std::string& content) {
    return content.empty()
               ? ""
               : "<section><h2>" + escaped(title) + "</h2>\n" + content + "</section>\n";
}

std::string folded(std::string_view title, const std::string& content) {
    return content.empty()
               ? ""
               : "<details><summary>" + escaped(title) + "</summary>" + content + "</details>\n";
}

std::string as_typed(const std::string& text) {
    return text.empty() ? "" : "<pre>" + escaped(text) + "</pre>\n";
}

std::string options_text(const std::string& options) {
    return options.empty() ? "" : as_typed("NFQWS2_OPT=\"\n" + options + "\n\"");
}

// What was found at a place.
struct Outcome {
    std::string place;
    std::size_t works = 0; // strategies
    std::string first;     // of them
    std::string words;     // without strategies
};

std::vector<Outcome> outcomes_of(const Report& report) {
    std::vector<Outcome> outcomes;
    std::map<std::string, std::size_t> numbers;
    for (const Finding& one : report.findings) {
        const auto [known, is_new] = numbers.try_emplace(one.place, outcomes.size());
        if (is_new) {
            outcomes.push_back({one.place, 0, "", ""});
        }
        Outcome& outcome = outcomes[known->second];
        if (!one.is_strategy()) {
            outcome.words = one.value == "nfqws2 not working" ? "no strategy works" : one.value;
        } else if (outcome.works++ == 0) {
            outcome.first = one.value;
        }
    }
    return outcomes;
}

std::string outcome_rows(const std::vector<Outcome>& outcomes) {
    std::string rows;
    for (const Outcome& one : outcomes) {
        rows += row(readable(one.place),
                    one.works > 0 ? std::to_string(one.works) + " strategies work" : one.words,
                    one.first);
    }
    return rows;
}

std::string kind_rows(const Report& report) {
    std::string rows;
    for (const Kind& one : report.kinds) {
        rows +=
            row(one.test == "dns" ? "DNS"
                                  : readable(one.test) + " ipv" + one.version + ' ' + one.domain,
                one.kind, one.evidence);
    }
    return rows;
}

std::string strategy_list(const Report& report) {
    std::string list;
    for (const Finding& one : report.findings) {
        if (one.is_strategy()) {
            list += "<li><b>" + escaped(readable(one.place)) + "</b> <code>" + escaped(one.value) +
                    "</code></li>\n";
        }
    }
    return list.empty() ? "" : "<ul>\n" + list + "</ul>";
}

} // namespace

std::string page_of(const Report& report) {
    const auto outcomes = outcomes_of(report);
    const std::string kinds = kind_rows(report);
    return std::string(beginning) + "<h1>blockcheck2</h1><p>" + escaped(report.fact("about")) +
           "</p>\n" +
           section("What was found", table("<th>test</th><th>result</th><th>first strategy</th>",
                                           outcome_rows(outcomes))) +
           section("Kind of blocking",
                   kinds.empty() ? ""
                                 : table("<th>test</th><th>kind</th><th>evidence</th>", kinds)) +
           section("NFQWS2_OPT for the config", options_text(report.options)) +
           section("NFQWS2_OPT that learns", options_text(report.learn)) +
           section("Rules for the firewall",
                   folded("only without the service", as_typed(report.rules))) +
           section("All that works",
                   folded(std::to_string(outcomes.size()) + " tests", strategy_list(report))) +
           "</body></html>\n";
}

} // namespace nfqws2::probe
