// Going to the background, the pid file, and the readiness message to a service manager.
#pragma once

#include "nfqws2/base/file.hpp"

#include <string>
#include <sys/types.h>

namespace nfqws2::app {

// Opened before the privilege drop, written when the final process id is known.
class PidFile {
  public:
    // Empty path: nothing to do. False: "create pidfile: <errno>" was logged.
    bool open(const std::string& path);
    void write(pid_t pid); // decimal, no newline

  private:
    FileDescriptor file_;
};

// Forks; the parent writes the child's id, so that it is there when the parent ends, with code 0.
// The child returns. Ends the process with codes 20..25 on failure (spec part 01 section 6.5).
void daemonise(PidFile& pid_file);

// "READY=1" to $NOTIFY_SOCKET, if set (the sd_notify protocol).
void notify_ready();

} // namespace nfqws2::app
