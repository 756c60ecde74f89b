// How strict the fence around scripts is (--sandbox).
#pragma once

#include <cstdint>

namespace nfqws2::sandbox {

enum class Mode : std::uint8_t {
    off,    // nothing beyond giving up privileges
    report, // what would be forbidden is named in the log; system calls fail, files are opened
    enforce // a forbidden system call ends the process, a forbidden file is refused
};

} // namespace nfqws2::sandbox
