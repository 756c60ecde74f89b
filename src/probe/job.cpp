#include "job.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <utility>

namespace nfqws2::probe {

namespace {

constexpr std::uint32_t most_attempts = 10000;

template <typename Number> bool take_number(std::string_view& line, Number& number) {
    auto word = take_word(line);
    int base = 10;
    if (word.substr(0, 2) == "0x") {
        word.remove_prefix(2);
        base = 16;
    }
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number, base);
    return error == std::errc() && end == word.data() + word.size() && !word.empty();
}

} // namespace

std::string_view take_word(std::string_view& line) {
    const auto begin = std::min(line.find_first_not_of(" \t\r\n"), line.size());
    line.remove_prefix(begin);
    const auto word = line.substr(0, line.find_first_of(" \t\r\n"));
    line.remove_prefix(word.size());
    return word;
}

std::optional<Protocol> protocol_named(std::string_view test) {
    constexpr std::array<std::pair<std::string_view, Protocol>, 4> names{{
        {"curl_test_http", Protocol::http},
        {"curl_test_https_tls12", Protocol::tls12},
        {"curl_test_https_tls13", Protocol::tls13},
        {"curl_test_http3", Protocol::http3},
    }};
    const auto* const found = std::find_if(names.begin(), names.end(),
                                           [&](const auto& pair) { return pair.first == test; });
    return found == names.end() ? std::nullopt : std::optional(found->second);
}

bool is_address(const std::string& text) {
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    return inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
           inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

std::string_view Page::host() const {
    return std::string_view(place).substr(0, place.find('/'));
}

std::optional<Job> read_job(std::string_view line) {
    Job job;
    if (!take_number(line, job.index) || !take_number(line, job.first) ||
        !take_number(line, job.last) || !take_number(line, job.port)) {
        return std::nullopt;
    }
    if (job.first < 1 || job.last < job.first || job.last - job.first >= most_attempts ||
        (job.port != 0 && job.port + (job.last - 1) > UINT16_MAX)) {
        return std::nullopt;
    }
    job.address = take_word(line);
    const auto protocol = protocol_named(take_word(line));
    job.place = take_word(line);
    if (!protocol || !is_address(job.address) || job.host().empty()) {
        return std::nullopt;
    }
    job.protocol = *protocol;
    std::string_view rest = line;
    if (!take_word(rest).empty() && !take_number(line, job.mark)) {
        return std::nullopt;
    }
    return take_word(line).empty() ? std::optional(std::move(job)) : std::nullopt;
}

} // namespace nfqws2::probe
