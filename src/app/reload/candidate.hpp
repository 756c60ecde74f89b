// Options that were read again and are to replace those in force: read, checked and compared in a
// thread of its own, so that packets do not wait for files.
#pragma once

#include "check/check_functions.hpp"
#include "check/report.hpp"
#include "nfqws2/engine/engine.hpp"
#include "nfqws2/profile/list_store.hpp"
#include "options/parse_state.hpp"
#include "reload/in_force.hpp"

#include <memory>
#include <string>
#include <vector>

namespace nfqws2::app {

// What the options are read against. None of it changes meanwhile.
struct Surroundings {
    const Config& config;
    profile::GenerationPtr generation;
    const InForce& before;
    LuaGlobals globals;
};

class Candidate {
  public:
    // In the main thread.
    Candidate(Clock& clock, const profile::ListStore& running, Surroundings around)
        : around_(std::move(around)), lists_(clock, running) {}

    // In any other. `arguments`: given, not read. False: error() tells why.
    bool read(const std::vector<std::string>& command_line, const Arguments* arguments);

    // Behind read(), unless it is only to be told what would change: makes the automatic lists that
    // are not there. False: error() tells why.
    bool make_files();

    const std::string& error() const { return error_; }
    const std::vector<Change>& changes() const { return changes_; }
    const Report& report() const { return report_; }
    const Arguments& arguments() const { return arguments_; }
    const engine::Engine::NextProfiles& next() const { return next_; }
    const std::vector<lua::LuaInit>& lua_items() const { return lua_items_; } // to be run again
    // Blobs whose bytes are others now, with the fingerprint of those that they had.
    const std::map<std::string, Hash128>& replaced_blobs() const { return replaced_blobs_; }
    InForce take_in_force() { return std::move(now_); }
    profile::ListStore& lists() { return lists_; }
    // In the main thread: what the lists themselves are asked for.
    void look_at_lists();

  private:
    bool fail(const std::string& why);
    bool read_arguments(const std::vector<std::string>& command_line);
    bool compare_fixed();
    bool parse();
    bool load_blobs();
    bool load_lists();
    bool compare_blobs();
    bool compare_lua();
    void forget_states();
    void check();
    bool is_in_force(std::size_t position) const;
    std::string origin(std::size_t position) const;

    const Surroundings around_;
    profile::ListStore lists_;
    Arguments arguments_;
    ParseState state_{lists_};
    Report report_{arguments_, state_};
    std::string error_;
    std::vector<Change> changes_;
    InForce now_;
    engine::Engine::NextProfiles next_;
    std::vector<lua::LuaInit> lua_items_;
    std::map<std::string, Hash128> replaced_blobs_;
};

} // namespace nfqws2::app
