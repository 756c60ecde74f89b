// What Lua has ready of each generation of profiles: strings of names and arguments, counters. A
// reload makes the next era beside the one in force, in pieces; flows that hold packets still need
// the one before, with the blobs that it had (docs/control.md#reload).
#pragma once

#include "nfqws2/lua/init.hpp"
#include "nfqws2/lua/lua.hpp"
#include "nfqws2/profile/generation.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nfqws2::lua {

class State;

// What an instance has done so far. One call of 16 is timed, so that looking at the clock costs
// nothing.
struct InstanceCounts {
    std::uint64_t called = 0, sent = 0, modified = 0, dropped = 0, errors = 0;
    std::uint64_t timed = 0, timed_ns = 0;

    // When a call began that is timed, else nothing; to be given to the end.
    using Time = std::chrono::steady_clock::time_point;
    std::optional<Time> begin_call() {
        return ++called % 16 == 0 ? std::make_optional(Time::clock::now()) : std::nullopt;
    }
    void end_call(Time begin) {
        timed++;
        timed_ns += static_cast<std::uint64_t>((Time::clock::now() - begin).count());
    }
    InstanceCounts& operator+=(const InstanceCounts& more);
};

// What has to be true of a packet before the function of an instance is called, as far as it is
// known (lua/nflua/conditions.hpp); by default nothing.
struct Conditions {
    const void* function = nullptr; // whose they are; nullptr: nobody has asked yet
    std::uint32_t mask = 0;         // one of these bits is set in the match mask; 0: no condition
    bool tcp_payload = false;       // it is TCP with payload
    bool ends_plan = false;         // for others: later instances do not run

    bool none() const { return function != nullptr && mask == 0 && !tcp_payload; }
};

// Lua references of what never changes about an instance, and what is known of it.
struct PreparedInstance {
    struct Argument {
        int name_ref, value_ref;
        bool substituted; // begins with % or # or an escape of them
    };
    int func_ref = LUA_NOREF, name_ref = LUA_NOREF;
    std::vector<Argument> arguments; // without repeated names: the first wins
    InstanceCounts counts;
    Conditions conditions;
    bool reported = false; // that it does not only look
};

struct Era {
    using Profile = std::vector<PreparedInstance>;
    // A global that changes with the generation, and what it was before, or is behind.
    struct Blob {
        int name_ref = LUA_NOREF, other_ref = LUA_NOREF;
    };
    profile::GenerationPtr generation;
    std::vector<Profile> profiles; // by number
    std::vector<Blob> blobs;
};

class Eras {
  public:
    explicit Eras(State& state) : state_(state) {}

    // Of the generation that the profile belongs to.
    Era& of(const profile::Profile& profile);
    Era& newest() { return *eras_.back(); }
    bool is_newest(const Era& era) const { return &era == eras_.back().get(); }
    std::span<const PreparedInstance> instances(std::uint32_t profile) const; // of the newest

    // The next one. A piece takes at most about half a millisecond; failed: *error, and nothing is
    // left of it.
    enum class Step : std::uint8_t { more, ready, failed };
    void begin(profile::GenerationPtr next, BlobChanges blobs);
    Step prepare(std::string* error);
    // It counts from now on. False: *error, all is as before.
    bool adopt(std::string* error);
    void abandon();   // what was begun
    void take_back(); // what was adopted last
    bool has_older() const { return eras_.size() > 1; }
    void drop_older();

    // While packets of an older era run, blobs are what they were.
    void go_back_to(const Era& era);
    void return_from(const Era& era);

  private:
    bool prepare_instance(const profile::LuaInstance& instance, const profile::Profile& profile,
                          std::string* error);
    bool prepare_blobs(std::string* error);
    bool swap_blobs(Era& era, std::string* error);
    void drop(Era& era);

    State& state_;
    std::vector<std::unique_ptr<Era>> eras_; // the newest last
    std::unique_ptr<Era> next_;
    BlobChanges changes_; // of the next one
    std::size_t next_profile_ = 0, next_instance_ = 0;
};

} // namespace nfqws2::lua
