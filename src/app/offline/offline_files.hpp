// Offline mode (docs/contracts/command-line.md#offline-mode): capture files and a run over them.
#pragma once

#include "nfqws2/base/random.hpp"
#include "nfqws2/engine/trace_file.hpp"
#include "options/config.hpp"
#include "run/process_clock.hpp"
#include "start/data_output.hpp"

#include <memory>

namespace nfqws2::app {

class OfflineFiles {
  public:
    OfflineFiles();
    ~OfflineFiles();

    // Opens the capture. False: logged.
    bool open_input(const Config& config);
    // Without --pcap-out packets are only counted. False: logged.
    bool open_output(const Config& config, const DataOutput& standard_output, ProcessClock& clock,
                     Random& random);

    // Begins to read it and lets the clock stand at its first stamp. False: logged.
    bool begin(ProcessClock& clock);

    // Lua init and the whole capture; the exit code.
    int run(Config& config, ProcessClock& clock, profile::ListStore& lists, Random& random,
            const engine::TraceFile* trace, store::Stores& stores);

  private:
    struct Files;
    std::unique_ptr<Files> files_;
};

} // namespace nfqws2::app
