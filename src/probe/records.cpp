#include "lines.hpp"
#include "numbers.hpp"
#include "report.hpp"
#include "verdict.hpp"
#include "words.hpp"

#include "nfqws2/base/json.hpp"

#include <array>
#include <cstdint>
#include <ctime>

namespace nfqws2::probe {

namespace {

std::string_view verdict_name(std::uint64_t code) {
    switch (code) {
    case 0:
        return "available";
    case code_suspicious:
        return "suspicious_redirect";
    case code_invalid:
        return "invalid_strategy";
    case code_daemon:
        return "daemon_failed";
    default:
        return "unavailable";
    }
}

void write_attempt(JsonWriter& json, std::uint64_t number, std::string_view line) {
    std::array<std::string, 6> fields; // CODE STATUS BYTES MS CONNECTED ADDRESS, then the error
    for (std::string& field : fields) {
        field = take_part(line, '|');
    }
    json.open_object();
    json.key("n").number(number);
    json.key("ip").text(fields[5]);
    json.key("code").number(leading_number(fields[0]));
    json.key("http_status").number(leading_number(fields[1]));
    json.key("bytes").number(leading_number(fields[2]));
    json.key("ms").number(leading_number(fields[3]));
    json.key("error").text(line);
    json.close_object();
}

void write_head(JsonWriter& json, const std::string& test, const std::string& version,
                const std::string& place, const std::string& script) {
    constexpr std::string_view prefix = "curl_test_";
    const auto slash = place.find('/');
    json.key("time").number(static_cast<std::uint64_t>(std::time(nullptr)));
    json.key("domain").text(place.substr(0, slash));
    json.key("uri").text(slash == std::string::npos ? "/" : place.substr(slash));
    json.key("ipv").number(leading_number(version));
    const bool named = test.compare(0, prefix.size(), prefix) == 0;
    json.key("protocol").text(named ? test.substr(prefix.size()) : test);
    json.key("test").text(test);
    json.key("script").text(script);
}

// Of the result whose first line this is; the others follow.
std::string record_of(std::string_view line, Lines& lines) {
    std::array<std::string, 6> fields; // before the error
    for (std::string& field : fields) {
        field = take_part(line, '\037');
    }
    const auto& [test, version, place, script, code, resumed] = fields;
    const std::string error(line);
    std::string text;
    std::string next;
    JsonWriter json(text);
    json.open_object();
    write_head(json, test, version, place, script);
    json.key("argv").open_array();
    lines.next(next);
    for (const auto& word : read_words(next).value_or(std::vector<std::string>())) {
        json.text(word);
    }
    json.close_array();
    json.key("attempts").open_array();
    for (std::uint64_t n = 1; lines.next(next) && !next.empty(); ++n) {
        write_attempt(json, n, next);
    }
    json.close_array();
    json.key("code").number(leading_number(code));
    json.key("error").text(error);
    json.key("resumed").boolean(resumed == "true");
    json.key("verdict").text(verdict_name(leading_number(code)));
    json.close_object();
    return text + '\n';
}

} // namespace

bool write_records(std::FILE* results, std::FILE* json) {
    Lines lines(results);
    std::string line;
    bool good = true;
    while (lines.next(line)) {
        const std::string text = record_of(line, lines);
        // Who writes the results is not to wait, nor end, because of this.
        if (good && !write_text(text, json)) {
            std::perror("the results cannot be written");
            good = false;
        }
    }
    return good;
}

} // namespace nfqws2::probe
