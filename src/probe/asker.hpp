// Who asks for pages, many at the same time.
#pragma once

#include "job.hpp"
#include "options.hpp"
#include "verdict.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace nfqws2::probe {

// One attempt. What `owner` and `number` mean is the caller's.
struct Question : Page {
    std::size_t owner = 0;
    std::uint32_t number = 1;
    std::uint16_t port = 0; // local; 0: any
    std::uint32_t mark = 0; // of the socket; 0: none
};

struct Answer {
    std::size_t owner = 0;
    std::uint32_t number = 1;
    Attempt attempt;
};

class Asker {
  public:
    Asker() = default;
    Asker(const Asker&) = delete;
    Asker& operator=(const Asker&) = delete;
    virtual ~Asker() = default; // gives up what has no answer yet

    // Every question gets an answer, from work().
    virtual void ask(const Question& question) = 0;
    // Adds the answers that are there; waits at most so long for the first. False: it is broken.
    virtual bool work(int milliseconds, std::vector<Answer>& answers) = 0;
};

// By libcurl, in this process; null where the program has no libcurl.
std::unique_ptr<Asker> ask_by_libcurl(const Options& options);
// By the curl program, a process for each question. It cannot set marks.
std::unique_ptr<Asker> ask_by_program(const Options& options);
// As the options say.
std::unique_ptr<Asker> make_asker(const Options& options);

} // namespace nfqws2::probe
