// Jobs and strategies of the prober, what nfqws2 has said, and where redirects lead to.
#include "probe/daemon.hpp"
#include "probe/job.hpp"
#include "probe/strategy.hpp"
#include "probe/verdict.hpp"
#include "probe/words.hpp"

#include <cstdlib>

using namespace nfqws2::probe;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(raw), size);
    if (const auto job = read_job(text)) {
        if (job->host().empty() || job->last < job->first) std::abort();
    }
    if (const auto strategy = read_strategy(text, {}, {})) {
        std::size_t count = 0;
        if (strategy->profiles("1-2", count).size() < count) std::abort();
    }
    const auto word = read_words(quote_word(text));
    if (!word || word->size() != 1 || word->front() != text) std::abort();
    if (last_words(text).empty()) std::abort();
    lua_errors(text);
    Attempt attempt;
    attempt.status = 302;
    attempt.error = text;
    note_location(attempt.error, text);
    judge_http(attempt, text, "blocked.test");
    if (attempt_text(attempt).find('\n') != std::string::npos) std::abort();
    return 0;
}
