// Who watches the packet that is on its way: --trace, which sees all of them, or the trace of a
// FlowWatcher, which sees those that may be of its flows. Without a watcher a packet costs a
// comparison.
#pragma once

#include "nfqws2/engine/flow_watcher.hpp"
#include "nfqws2/engine/trace.hpp"

#include <memory>

namespace nfqws2::engine {

// Where scripts and the pipeline send: on its way a packet may have to be seen.
class Onlooker final : public capture::PacketSender {
  public:
    // `trace`: of --trace, or nullptr.
    Onlooker(Trace* trace, capture::PacketSender& sender, lua::Desync& desync)
        : sender_(sender), desync_(desync) {
        look(trace);
        if (trace != nullptr) trace->send_through(sender);
    }

    // The trace of the packet that is on its way, nullptr if nobody watches it.
    Trace* const& trace() const { return now_; }

    bool send(const capture::OutputPacket& packet) override {
        return now_ != nullptr ? now_->send(packet) : sender_.send(packet);
    }

    // Between packets. Not beside --trace.
    void set_watcher(FlowWatcher* watcher, const Clock& clock, std::optional<unsigned> worker) {
        watcher_ = watcher;
        live_ = watcher != nullptr ? std::make_unique<Trace>(*watcher, clock, worker) : nullptr;
        if (live_) live_->send_through(sender_);
    }
    const FlowWatcher* watcher() const { return watcher_; }

    // A packet sets out. Those inside of it are seen with it.
    void sets_out(const packet::Dissect& packet, const flow::ConnectionTable* connections) {
        if (watcher_ == nullptr || now_ != nullptr || !watcher_->may_want(packet)) return;
        const flow::Track* track =
            connections != nullptr ? connections->find(packet).track : nullptr;
        if (watcher_->may_want(track)) look(live_.get());
    }
    void has_left() {
        if (watcher_ != nullptr && now_ != nullptr && !now_->is_busy()) look(nullptr);
    }

  private:
    void look(Trace* trace) {
        now_ = trace;
        desync_.set_observer(trace);
    }

    capture::PacketSender& sender_;
    lua::Desync& desync_;
    Trace* now_ = nullptr;
    FlowWatcher* watcher_ = nullptr;
    std::unique_ptr<Trace> live_;
};

} // namespace nfqws2::engine
