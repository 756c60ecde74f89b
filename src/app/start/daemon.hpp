// Going to the background, the pid file, and the readiness message to a service manager.
#pragma once

#include "nfqws2/base/file.hpp"

#include <string>
#include <sys/types.h>

namespace nfqws2::app {

// Opened before the privilege drop, written when everything is ready.
class PidFile {
  public:
    // Empty path: nothing to do. False: "create pidfile: <errno>" was logged.
    bool open(const std::string& path);
    void write(pid_t pid); // decimal, no newline

  private:
    FileDescriptor file_;
};

// --daemon. What reads the queue is a child from early on: its process id, by which the queue is
// known to others, is final. The parent stays in the foreground until the child is ready.
class Background {
  public:
    // Forks, and returns in the child only. The parent passes a termination request on, and ends
    // with code 0 when the child is ready, else as the child ended. Exit code 20 if it cannot fork.
    void begin();
    // The child leaves the terminal and lets the parent go. Nothing without begin(). Exit codes
    // 21..25 on failure.
    void ready();

  private:
    FileDescriptor parent_;
};

// "READY=1" to $NOTIFY_SOCKET, if set (the sd_notify protocol).
void notify_ready();

} // namespace nfqws2::app
