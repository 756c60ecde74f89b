#include "serve/blockcheck.hpp"

#include "failure.hpp"
#include "nfqws2/base/file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

namespace nfqws2::ctl {
namespace {

constexpr std::size_t largest_file = 4 << 20; // blockcheck2 keeps to it
constexpr std::size_t most_tests = 1000, most_strategies = 20, most_kinds = 1000;

std::string_view take_word(std::string_view& text) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    return word;
}

// "curl_test_http ipv4 example.com : VALUE" as a test without a state, and VALUE.
Json test_of_line(std::string_view line, std::string_view& value) {
    constexpr std::string_view before = "curl_test_";
    std::string_view test = take_word(line);
    if (test.starts_with(before)) test.remove_prefix(before.size());
    const std::string_view version = take_word(line), domain = take_word(line);
    if (take_word(line) != ":" || (version != "ipv4" && version != "ipv6")) return {};
    value = line;
    return {{"test", test}, {"ipv", version == "ipv6" ? 6 : 4}, {"domain", domain}};
}

// A test has many lines if many strategies work.
void note_value(Json& test, std::string_view value) {
    constexpr std::string_view program = "nfqws2 ";
    if (value == "working without bypass" || value == "nfqws2 not working") {
        test["state"] = value.starts_with(program) ? "fails" : "open";
    } else if (value.starts_with(program)) {
        test["state"] = "works";
        test["count"] = integer_of(test["count"]).value_or(0) + 1;
        if (test["strategies"].size() < most_strategies)
            test["strategies"].push_back(value.substr(program.size()));
    } else {
        test["state"] = "aborted";
        test["text"] = value;
    }
}

// Of a test with many strategies only the first ones are there, and how many there are.
Json shorten_summary(const Json& lines, const Json& counts) {
    Json tests = Json::array();
    std::map<std::string, std::size_t> places; // by what stands before the value
    for (const Json& element : elements(lines)) {
        const std::string line = text_of(element);
        std::string_view value;
        Json test = test_of_line(line, value);
        if (test.is_null()) continue;
        const auto [place, is_new] =
            places.try_emplace(line.substr(0, line.size() - value.size()), tests.size());
        if (is_new && tests.size() < most_tests) {
            test.update({{"state", ""}, {"count", 0}, {"strategies", Json::array()}});
            tests.push_back(std::move(test));
        }
        if (place->second < tests.size()) note_value(tests[place->second], value);
    }
    for (const auto& [before, place] : places) {
        if (place >= tests.size() || tests[place]["state"] != "works") continue;
        const auto all = integer_of(member(counts, before.substr(0, before.rfind(" : ")).c_str()));
        auto& count = tests[place]["count"];
        count = std::max(integer_of(count).value_or(0), all.value_or(0));
    }
    return tests;
}

Json shorten_kinds(const Json& found) {
    Json kinds = Json::array();
    for (const Json& one : elements(found)) {
        if (kinds.size() == most_kinds) break;
        Json kind;
        for (const char* key : {"test", "domain", "kind", "evidence"})
            kind[key] = text_of(member(one, key));
        kind["ipv"] = integer_of(member(one, "ipv")).value_or(0);
        kinds.push_back(std::move(kind));
    }
    return kinds;
}

// What the file had when it was opened: a new one takes its place, none grows.
std::string read_bytes(int fd, std::size_t count, const std::string& path) {
    std::string text(count, '\0');
    std::size_t used = 0;
    while (used < text.size()) {
        const ssize_t n = read(fd, text.data() + used, text.size() - used);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw Failure(path + ": " + std::strerror(errno));
        if (n == 0) break;
        used += static_cast<std::size_t>(n);
    }
    text.resize(used);
    return text;
}

} // namespace

Json shorten_blockcheck(const Json& found) {
    Json result{{"at", integer_of(member(found, "time")).value_or(0)}};
    for (const char* key :
         {"domains", "scanlevel", "dns", "firewall", "nfqws2", "options", "learn"})
        result[key] = text_of(member(found, key));
    result["tests"] = shorten_summary(member(found, "summary"), member(found, "counts"));
    result["blocking"] = shorten_kinds(member(found, "blocking"));
    return result;
}

Json last_blockcheck(const std::string& path) {
    // Anything else than a file may never end: a pipe is not waited for.
    const FileDescriptor fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!fd && errno == ENOENT) return {{"result", nullptr}};
    struct stat st {};
    if (!fd || fstat(fd.get(), &st) != 0) throw Failure(path + ": " + std::strerror(errno));
    if (!S_ISREG(st.st_mode)) throw Failure(path + " is no regular file");
    const auto size = static_cast<std::uint64_t>(st.st_size);
    if (size > largest_file) throw Failure(path + ": file is too large");
    const auto found =
        parse_object(read_bytes(fd.get(), static_cast<std::size_t>(size), path), largest_file);
    if (!found) throw Failure(path + " is no result of blockcheck2");
    return {{"result", shorten_blockcheck(*found)}};
}

} // namespace nfqws2::ctl
