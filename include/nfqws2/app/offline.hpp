// Offline mode: the capture files and how a run over them is put together (spec part 14.1).
#pragma once

#include "nfqws2/app/arguments.hpp"
#include "nfqws2/app/config.hpp"
#include "nfqws2/app/process_clock.hpp"
#include "nfqws2/base/file.hpp"
#include "nfqws2/base/random.hpp"

#include <memory>

namespace nfqws2::app {

inline constexpr int exit_capture_error = 2, exit_lua_error = 3;

class OfflineFiles {
  public:
    OfflineFiles();
    ~OfflineFiles();

    // If packets go to standard output, everything else that would be printed there goes to
    // standard error. To be called before the first line is printed.
    void keep_stdout_for_packets(const Arguments& arguments);

    // Opens the capture and lets the clock stand at its first stamp. False: logged.
    bool open_input(const Config& config, ProcessClock& clock);
    // Without --pcap-out packets are only counted. False: logged.
    bool open_output(const Config& config, ProcessClock& clock, Random& random);

    // Lua init and the whole capture; the exit code.
    int run(Config& config, ProcessClock& clock, profile::ListStore& lists, Random& random);

  private:
    struct Files;
    std::unique_ptr<Files> files_;
    FileDescriptor packet_stdout_; // the real standard output, if something else took its number
};

} // namespace nfqws2::app
