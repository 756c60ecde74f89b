#include "numbers.hpp"

#include "job.hpp"
#include "nfqws2/base/file.hpp"

#include <charconv>
#include <cstdio>

namespace nfqws2::probe {

namespace {

constexpr std::size_t longest_list = 4096;

} // namespace

std::vector<std::uint32_t> read_numbers(const std::string& path) {
    const ReadResult file = read_file(path, longest_list);
    const std::string text(file.data.begin(), file.data.end());
    std::string_view rest = text;
    std::vector<std::uint32_t> numbers;
    for (auto word = take_word(rest); !word.empty(); word = take_word(rest)) {
        std::uint32_t number = 0;
        std::from_chars(word.data(), word.data() + word.size(), number);
        numbers.push_back(number);
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
