#include "batch.hpp"
#include "lines.hpp"
#include "pool.hpp"

namespace nfqws2::probe {

End propose(const Options& options, std::FILE* requests, std::FILE* results) {
    Pool pool;
    each_line(options.folder + "/mechanisms", [&](std::string_view line) { pool.learned(line); });
    each_line(options.folder + "/tried", [&](std::string_view line) { pool.tried(line); });
    std::string line;
    for (Lines lines(requests); lines.next(line);) {
        pool.add(line);
    }
    std::string text = options.learn ? pool.lesson() : "";
    for (const auto& one : pool.pick(options.pick)) {
        text += one + '\n';
    }
    return write_text(text, results) ? End::done : End::failed;
}

} // namespace nfqws2::probe
