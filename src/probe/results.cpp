#include "results.hpp"

#include "lines.hpp"
#include "words.hpp"

#include <cstddef>

namespace nfqws2::probe {

namespace {

// Functions of results that a shell has at the same time: some look for a function one by one.
constexpr std::size_t piece = 64;

} // namespace

bool write_results(const std::vector<Item>& items, const std::string& said, std::FILE* results) {
    std::string text;
    std::size_t count = 0;
    std::size_t good = 0;
    for (const Item& item : items) {
        if (!item.done) {
            continue;
        }
        if (count % piece == 0) {
            text +=
                (count == 0 ? "" : "}\n") + ("piece_" + std::to_string(count / piece)) + "() {\n";
        }
        text += result_text(item, count++ % piece);
        good += item.error == 0 && item.code() == 0 ? 1 : 0;
    }
    text += (count == 0 ? "" : "}\n") + std::string("RESULTS=") + std::to_string(count) +
            " RESULTS_GOOD=" + std::to_string(good) + " BATCH_SAID=" + quote_word(said) + '\n';
    return write_text(text, results);
}

} // namespace nfqws2::probe
