// The fence around scripts (--sandbox): which files the configuration gives them, and the sandbox
// that holds them to it.
#pragma once

#include "nfqws2/lua/file_gate.hpp"
#include "nfqws2/sandbox/file_rules.hpp"
#include "nfqws2/sandbox/state_directories.hpp"
#include "options/config.hpp"

#include <mutex>
#include <set>
#include <string>

namespace nfqws2::app {

// What compatible scripts and the program itself open from the time on that Lua runs.
sandbox::FileRules file_rules(const Config& config, const profile::ListStore& lists);

class Fence final : public lua::FileGate {
  public:
    // Closes the fence for the rest of the process's life. It gets itself into config.engine, and
    // what holds and what is missing into config.fence_status. False: the kernel cannot do what
    // config.sandbox_required asks for (logged).
    bool close(Config& config, const profile::ListStore& lists);

    int landlock() const { return landlock_; } // version that holds, 0 = none
    bool seccomp() const { return seccomp_; }

    bool admits(const char* path, lua::FileUse use) const override;

  private:
    void allow_state();
    void ask_kernel();
    std::string status() const;
    std::string why_refused(const char* path, lua::FileUse use) const;
    bool is_news(const char* path) const;

    sandbox::FileRules rules_;
    sandbox::StateDirectories state_;
    sandbox::Mode mode_ = sandbox::Mode::off;
    // What the kernel holds.
    int landlock_ = 0; // version
    bool seccomp_ = false;
    mutable std::mutex lock_;
    mutable std::set<std::string> told_; // refused and logged
};

} // namespace nfqws2::app
