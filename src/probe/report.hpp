// What a run of blockcheck2 has found, as a page and as JSON.
#pragma once

#include "options.hpp"

#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::probe {

// A line of the file "report": TEST ipvN DOMAIN : VALUE.
struct Finding {
    std::string line;
    std::string place; // test, version and domain
    std::string value; // a strategy, or a few words

    bool is_strategy() const;
};

// A line of the file "kinds", with tabs between the fields. Version and domain may be empty.
struct Kind {
    std::string test, version, domain, kind, evidence;
};

// The files of the folder of a run. One that is not there is empty.
struct Report {
    std::vector<Finding> findings;
    std::vector<Kind> kinds;
    std::string options, learn, rules; // texts, without line feeds at their ends
    // Of the file "facts", NAME TAB VALUE: time (seconds since 1970), about (a line for people),
    // and what stands in the summary under these names.
    std::map<std::string, std::string, std::less<>> facts;

    explicit Report(const std::string& folder);
    std::string_view fact(std::string_view name) const; // empty if there is none
};

// A page of HTML that needs nothing from outside.
std::string page_of(const Report& report);

// All as an object of JSON in one line. `shortened`: thousands of strategies may work, so only the
// first ones of each place, and how many work there ("counts").
std::string summary_of(const Report& report, bool shortened);

// Each result of the input as an object of JSON, as soon as it is there. A result is lines, the
// first with \037 between its fields:
//   TEST VERSION DOMAIN[/URI] SCRIPT CODE RESUMED ERROR
//   words of the strategy, quoted as for a shell
//   an attempt, as attempt_text() writes it (any number of these lines)
// and an empty line behind them.
bool write_records(std::FILE* results, std::FILE* json);

// Writes what the options ask for. False: it could not be written.
bool report(const Options& options, std::FILE* input, std::FILE* output);

} // namespace nfqws2::probe
