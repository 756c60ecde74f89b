#include "item.hpp"

#include "words.hpp"

#include <algorithm>

namespace nfqws2::probe {

int Item::code() const {
    int last = 0;
    for (const auto& attempt : attempts) {
        last = attempt.code != 0 ? attempt.code : last;
    }
    return last;
}

bool Item::has(int attempt_code) const {
    return std::any_of(attempts.begin(), attempts.end(),
                       [&](const Attempt& a) { return a.code == attempt_code; });
}

bool Item::was_connected() const {
    return std::all_of(attempts.begin(), attempts.end(),
                       [](const Attempt& a) { return a.code == 0 || a.connected; });
}

std::string result_text(const Item& item, std::size_t number) {
    std::string list;
    std::size_t good = 0;
    for (const Attempt& attempt : item.attempts) {
        list += attempt_text(attempt) + '\n';
        good += attempt.code == 0 ? 1 : 0;
    }
    const int code = item.error != 0 ? item.error : item.code();
    const std::string& why = item.error != 0 ? item.error_text : "";
    return "result_" + std::to_string(number) +
           "() {\nRESULT_KEY=" + quote_word(item.strategy.key) + " R_CODE=" + std::to_string(code) +
           " R_ERROR=" + quote_word(why) + " R_N=" + std::to_string(item.attempts.size()) +
           " R_OK=" + std::to_string(good) + " R_LIST=" + quote_word(list) + "\n}\n";
}

} // namespace nfqws2::probe
