// A whole engine with doors that only remember what went through. Scripts report with `tell(...)`:
// a packet sent to the interface "tell" that carries text.
#pragma once

#include "../../support/engine_world.hpp"
#include "../profile/profile_testing.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/rules/judge.hpp"
#include "packets.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

namespace nfqws2::engine::test {

using Lines = std::vector<std::string>;

struct Sent {
    Buffer data;
    std::uint32_t mark;
    std::string ifout;
    bool operator==(const Sent&) const = default;
};

inline void PrintTo(const Sent& sent, std::ostream* out) {
    *out << to_hex(sent.data) << " mark " << sent.mark << " to " << sent.ifout;
}

class Wire final : public capture::PacketSender {
  public:
    bool send(const capture::OutputPacket& packet) override;
    std::vector<Sent> sent;
    Lines told;
};

class FixedNetwork final : public capture::NetworkInfo {
  public:
    IpAddress source_for(const IpAddress& target) override { return target; }
    std::optional<std::vector<capture::Interface>> interfaces() override { return std::nullopt; }
};

// Asking for the time is when memory runs out, while it `lacks`.
class ClockWithoutMemory final : public Clock {
  public:
    std::int64_t boot_ns() const override {
        if (lacks) throw std::bad_alloc();
        return 1'000'000'000;
    }
    std::int64_t unix_ns() const override { return boot_ns(); }
    bool lacks = false;
};

struct Config {
    std::vector<std::string> profile = {};
    std::string lua = {};
    Options options = {};
    std::string rules = {}; // of --rules, without `version`; "" = none
};

// What became of one packet, and what was told and sent meanwhile.
struct Outcome {
    capture::Action action = capture::Action::accept;
    Buffer data = {};
    Lines told = {};
    std::vector<Sent> sent = {};
    bool finished = false; // of the flow

    bool accepted() const { return action == capture::Action::accept; }
    bool dropped() const { return action == capture::Action::drop; }
    bool modified() const { return action == capture::Action::modify; }
    bool split() const { return action == capture::Action::split; }
    std::string line() const { return told.size() == 1 ? told.front() : "(not one line)"; }
};

struct Doors {
    Wire wire;
    FixedNetwork network;
};

class Machine : public Doors, public nfqws2::test::EngineWorld<VirtualClock> {
  public:
    static constexpr std::int64_t start_ns = 1'700'000'000'000'000'000;
    static constexpr std::uint32_t mark = 0x40000000;

    explicit Machine(Config config);
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    Outcome process(Bytes packet, std::string_view ifin, std::string_view ifout,
                    std::uint32_t fwmark = 0, bool merged = false);
    Outcome out(Bytes packet) { return process(packet, "", "eth0"); }
    Outcome in(Bytes packet) { return process(packet, "eth0", ""); }
    // The same for packets that the kernel has joined.
    Outcome out_merged(Bytes packet) { return process(packet, "", "eth0", 0, true); }
    Outcome in_merged(Bytes packet) { return process(packet, "eth0", "", 0, true); }
    // Time passes, the event loop turns once.
    Outcome wait(double seconds);
    void advance(double seconds); // without a turn

    // The three packets of a handshake.
    void open(const TcpFlow& flow);
    // What the debugging dump of the ip cache says.
    Lines ip_cache() const;

    bool ready = false;                    // init_lua was successful
    std::optional<std::uint32_t> new_mark; // of the last packet, with its verdict

  private:
    engine::Services services_with(const std::string& rules);
    std::unique_ptr<rules::Tables> tables_;
    Outcome collect(const capture::Verdict& verdict);
};

// A Lua expression for these bytes.
inline std::string lua_bytes(Bytes data) {
    return "parse_hex(\"" + to_hex(data) + "\")";
}

// Starts recording what is written to stderr; text() ends it.
class ErrorText {
  public:
    ErrorText() { testing::internal::CaptureStderr(); }
    ~ErrorText() {
        if (!done_) testing::internal::GetCapturedStderr();
    }
    std::string text() {
        done_ = true;
        return testing::internal::GetCapturedStderr();
    }

  private:
    bool done_ = false;
};

} // namespace nfqws2::engine::test
