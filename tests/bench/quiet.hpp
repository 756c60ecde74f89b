// While one of these lives, standard output goes nowhere: the status lines of a Lua state that is
// made for each measurement would bury the results.
#pragma once

#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

class Quiet {
  public:
    Quiet() : kept_(dup_after_flush()) {
        const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(nowhere, STDOUT_FILENO);
        close(nowhere);
    }
    ~Quiet() {
        std::fflush(stdout);
        dup2(kept_, STDOUT_FILENO);
        close(kept_);
    }
    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;

  private:
    static int dup_after_flush() {
        std::fflush(stdout);
        return dup(STDOUT_FILENO);
    }
    int kept_;
};
