// Where trace lines go: a buffered file. A write that fails is reported once, then nothing more is
// written; the packets do not suffer. Copies stand for the same file, one for each worker.
#pragma once

#include "nfqws2/base/output_file.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace nfqws2::engine {

class TraceFile {
  public:
    // `name` is for messages.
    TraceFile(FileDescriptor file, std::string name);

    // Creates or empties the file.
    static OutputFile create(const std::string& path);

    void write(std::string_view lines); // nothing comes between them
    bool flush();                       // false if a write failed, now or before
    // The time of the first call with any of the copies.
    std::int64_t start(std::int64_t now_ns);

  private:
    struct Shared {
        ~Shared() { flush(); }
        void flush();

        std::mutex mutex;
        FileDescriptor file;
        std::string name, buffer;
        bool failed = false;
        std::optional<std::int64_t> start_ns;
    };
    std::shared_ptr<Shared> shared_;
};

} // namespace nfqws2::engine
