// Jobs of the prober, and where redirects lead to.
#include "probe/job.hpp"
#include "probe/verdict.hpp"

#include <cstdlib>

using namespace nfqws2::probe;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(raw), size);
    if (const auto job = read_job(text)) {
        if (job->host().empty() || job->last < job->first) std::abort();
    }
    Attempt attempt;
    attempt.status = 302;
    attempt.error = text;
    judge_http(attempt, text, "blocked.test");
    const std::string line = attempt_line(1, 1, attempt, "192.0.2.1");
    if (line.find('\n') != line.size() - 1) std::abort();
    return 0;
}
