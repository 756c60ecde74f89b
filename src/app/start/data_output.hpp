// Standard output as a place for data. When packets, a trace or JSON go there, everything else that
// would be printed there goes to standard error.
#pragma once

#include "nfqws2/base/file.hpp"
#include "options/arguments.hpp"
#include "options/config.hpp"

#include <string>
#include <string_view>

namespace nfqws2::app {

// Somebody waits for an answer (--version, --check, --explain) or wants silence (--quiet): what
// only tells how the start goes on is left out. The options are only looked at.
bool wants_silence(const Arguments& arguments);

// It ends with an answer about options that a daemon may have meanwhile (--check, --dry-run,
// --explain,
// --print-rules), or about itself.
bool only_looks(const Arguments& arguments);

// Who the program is going to be, as its options say. Wrong ones are told when they are parsed.
Privileges wanted_privileges(const Arguments& arguments, Privileges base);

class DataOutput {
  public:
    // Reserves standard output if an option wants it. To be called before the first line is
    // printed; the options are only looked at.
    void reserve(const Arguments& arguments);
    bool reserved() const { return static_cast<bool>(file_); }
    bool for_check() const { return for_check_; } // by --check=json

    // A path that leads to the real standard output; "-" if it was not reserved.
    std::string path() const;
    // The real standard output as a descriptor of its own.
    FileDescriptor duplicate() const;
    // Writes to the real standard output.
    void print(std::string_view text) const;

  private:
    FileDescriptor file_;
    bool for_check_ = false;
};

} // namespace nfqws2::app
