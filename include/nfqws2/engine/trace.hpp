// What happened to every packet and why, in lines of JSON (docs/contracts/command-line.md#trace).
// The pipeline holds a pointer to it that is null when tracing is off.
#pragma once

#include "nfqws2/base/clock.hpp"
#include "nfqws2/capture/messages.hpp"
#include "nfqws2/capture/packet_io.hpp"
#include "nfqws2/engine/trace_file.hpp"
#include "nfqws2/lua/desync.hpp"
#include "nfqws2/lua/state.hpp"
#include "nfqws2/profile/profile_set.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace nfqws2 {
class JsonWriter;
}

namespace nfqws2::engine {

class FlowWatcher;
struct Passage;

class Trace final : public lua::InstanceObserver, public capture::PacketSender {
  public:
    // `timed`: with the time each instance took. Not so in seeded runs, which must be reproducible.
    // `worker`: which of several, if there are several.
    Trace(TraceFile file, const Clock& clock, bool timed,
          std::optional<unsigned> worker = std::nullopt);
    // For a client who watches some flows.
    Trace(FlowWatcher& watcher, const Clock& clock, std::optional<unsigned> worker);

    // From now on everything sent goes through here and on to `sender`.
    void send_through(capture::PacketSender& sender) { sender_ = &sender; }
    bool send(const capture::OutputPacket& packet) override;
    // A message of a script has gone: a line of its own, behind that of the packet.
    void sent(const capture::NetlinkMessage& message);
    // Who knows what `learn` has chosen for a flow.
    void ask(const lua::State& state) { state_ = &state; }

    // A packet enters the pipeline; `p` lives until end(). Packets that are handled while another
    // one is, such as replayed pieces, are nested and come out after it.
    void begin(const Passage& p);
    void end(const Passage& p, const capture::Verdict& verdict);
    // What has begun will not end: the packet passed for want of memory. Its lines are lost.
    void abandon();
    bool is_busy() const { return depth_ != 0; } // with a packet that has entered
    // About the packet that entered last:
    std::vector<profile::Rejection>& rejections(); // emptied, for a new search
    void held();
    void rules(std::string json);
    void note(const char* why); // why the profile's instances were not looked at
    void all_cut_off(const profile::Profile& profile);

    // Whatever Lua timers have sent since the last packet becomes a line of its own.
    void end_timers();
    bool flush() { return !file_ || file_->flush(); }

    // lua::InstanceObserver
    void skipped(const profile::LuaInstance& instance, lua::Skipped why) override;
    void calling(const profile::LuaInstance& instance) override;
    void returned(int verdict) override;
    void failed(std::string_view error) override;
    void rebuild_failed(std::string_view error) override;

  private:
    // One packet on its way, its lists as JSON already.
    struct Record {
        const Passage* passage = nullptr;
        std::string out, instances, error, rules;
        std::vector<profile::Rejection> rejected;
        const char* note = nullptr;
        bool held = false;
        std::uint64_t sent = 0;
        std::size_t listed = 0, omitted = 0; // of `out`
        // the instance being called
        const profile::LuaInstance* running = nullptr;
        std::uint64_t sent_before = 0;
        std::int64_t since_ns = 0;
        void clear();
    };
    Record& current(); // that of the timers outside of packets
    void add_out(Record& record, const char* kind, Bytes packet);
    void add_called(Record& record, const char* verdict, std::string_view error);
    void write_line(const Passage& p, const capture::Verdict& verdict, const Record& record);
    void write_packet(JsonWriter& json, const Passage& p) const;
    void write_profile(JsonWriter& json, const Passage& p, const Record& record) const;
    void write_learned(JsonWriter& json, const Passage& p) const;
    void write_out(JsonWriter& json, const Record& record) const;
    void begin_line(JsonWriter& json, std::optional<std::uint64_t> number) const;

    std::optional<TraceFile> file_; // or
    FlowWatcher* watcher_ = nullptr;
    const Clock& clock_;
    bool timed_;
    std::optional<unsigned> worker_;
    std::int64_t start_ns_;
    capture::PacketSender* sender_ = nullptr;
    const lua::State* state_ = nullptr;
    std::deque<Record> records_; // [0, depth_) are in use
    std::size_t depth_ = 0;
    Record timers_;
    std::string line_, nested_, element_; // nested_: lines of packets inside of the outermost
};

} // namespace nfqws2::engine
