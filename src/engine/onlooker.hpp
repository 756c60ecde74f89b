// Who watches the packet that is on its way: --trace, which sees all of them, or the trace of a
// FlowWatcher, which sees those that may be of its flows. Without a watcher a packet costs a
// comparison.
#pragma once

#include "nfqws2/engine/flow_watcher.hpp"
#include "nfqws2/engine/trace.hpp"

#include <memory>

namespace nfqws2::engine {

// What is made on the way of a packet is sent through here, since it may have to be seen.
class Onlooker final : public capture::PacketSender, public capture::MessageSender {
  public:
    // `trace`: of --trace, or nullptr.
    Onlooker(Trace* trace, capture::PacketSender& sender, capture::MessageSender* messages);

    // Whose calls it sees, and who knows what `learn` has chosen.
    void observe(lua::Desync& desync, const lua::State& state);
    // The trace of the packet that is on its way, nullptr if nobody watches it.
    Trace* const& trace() const { return now_; }
    bool send(const capture::OutputPacket& packet) override {
        return now_ != nullptr ? now_->send(packet) : sender_.send(packet);
    }
    int send(const capture::NetlinkMessage& message) override;

    // Between packets, not beside --trace. `worker`: which of several, if there are several.
    void set_watcher(FlowWatcher* watcher, const Clock& clock, std::optional<unsigned> worker);
    const FlowWatcher* watcher() const { return watcher_; }

    // A packet sets out, and has left. Those inside of it are seen with it.
    void sets_out(const packet::Dissect& packet, const flow::ConnectionTable* connections) {
        if (watcher_ != nullptr) [[unlikely]]
            look_at(packet, connections);
    }
    void has_left() {
        if (watcher_ != nullptr) [[unlikely]]
            look_away();
    }
    // The packet that set out passed for want of memory.
    void has_lost();

  private:
    void look_at(const packet::Dissect& packet, const flow::ConnectionTable* connections);
    void look_away();
    void use(Trace* trace);

    capture::PacketSender& sender_;
    capture::MessageSender* messages_;
    lua::Desync* desync_ = nullptr;
    const lua::State* state_ = nullptr;
    Trace* now_;
    FlowWatcher* watcher_ = nullptr;
    std::unique_ptr<Trace> live_;
};

} // namespace nfqws2::engine
