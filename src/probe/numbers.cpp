#include "numbers.hpp"

#include "job.hpp"
#include "nfqws2/base/file.hpp"

#include <charconv>
#include <cstdio>

namespace nfqws2::probe {

namespace {

constexpr std::size_t longest_list = 4096;

} // namespace

std::uint64_t leading_number(std::string_view text) {
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

std::vector<std::uint32_t> read_numbers(const std::string& path) {
    const ReadResult file = read_file(path, longest_list);
    const std::string text(file.data.begin(), file.data.end());
    std::string_view rest = text;
    std::vector<std::uint32_t> numbers;
    for (auto word = take_word(rest); !word.empty(); word = take_word(rest)) {
        numbers.push_back(static_cast<std::uint32_t>(leading_number(word)));
    }
    return numbers;
}

void write_numbers(const std::string& path, const std::vector<std::uint32_t>& numbers) {
    std::FILE* const file = std::fopen(path.c_str(), "we");
    if (file == nullptr) {
        return;
    }
    for (const auto number : numbers) {
        std::fprintf(file, "%u ", number);
    }
    std::fclose(file);
}

} // namespace nfqws2::probe
