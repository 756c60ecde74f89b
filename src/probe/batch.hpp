// Many strategies at once: the fast engine of blockcheck2.
#pragma once

#include "asker.hpp"
#include "options.hpp"

#include <cstdio>

namespace nfqws2::probe {

enum class End {
    done,
    enough, // with questions left, as asked for
    failed, // the asker, the files or the output do not work
};

// Reads a strategy a line and tests them all. Writes functions of a shell, piece_0, piece_1 ...;
// each makes the functions result_0 to result_63 (the last one fewer), one for each strategy that
// has a result, in the order in which they were read. Behind them stands how many results there
// are.
End run_batch(const Options& options, Asker& asker, std::FILE* strategies, std::FILE* results);

// Works off jobs, one a line, and writes each answer as soon as it is there. A line that is no job
// costs that line, with a message.
End run_jobs(const Options& options, Asker& asker, std::FILE* jobs, std::FILE* results);

// Which strategies to try next (pool.hpp): of the requests of scripts, one a line, as many as asked
// for; or what can be learned from what was tried. Reads the files "tried" and "mechanisms" of the
// folder.
End propose(const Options& options, std::FILE* requests, std::FILE* results);

// Asked to end: what runs is given up.
bool is_stopped();
void stop_at_signals();

} // namespace nfqws2::probe
