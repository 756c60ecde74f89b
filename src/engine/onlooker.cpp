#include "onlooker.hpp"

namespace nfqws2::engine {

Onlooker::Onlooker(Trace* trace, capture::PacketSender& sender, capture::MessageSender* messages)
    : sender_(sender), messages_(messages), now_(trace) {
    if (trace != nullptr) trace->send_through(sender);
}

int Onlooker::send(const capture::NetlinkMessage& message) {
    const int error = messages_->send(message);
    if (error == 0 && now_ != nullptr) now_->sent(message);
    return error;
}

void Onlooker::observe(lua::Desync& desync, const lua::State& state) {
    desync_ = &desync;
    state_ = &state;
    desync.set_observer(now_);
    if (now_ != nullptr) now_->ask(state);
}

void Onlooker::set_watcher(FlowWatcher* watcher, const Clock& clock,
                           std::optional<unsigned> worker) {
    watcher_ = watcher;
    live_ = watcher != nullptr ? std::make_unique<Trace>(*watcher, clock, worker) : nullptr;
    if (!live_) return;
    live_->send_through(sender_);
    live_->ask(*state_);
}

void Onlooker::look_at(const packet::Dissect& packet, const flow::ConnectionTable* connections) {
    if (now_ != nullptr || !watcher_->may_want(packet)) return;
    const flow::Track* track = connections != nullptr ? connections->find(packet).track : nullptr;
    if (watcher_->may_want(track)) use(live_.get());
}

void Onlooker::look_away() {
    if (now_ != nullptr && !now_->is_busy()) use(nullptr);
}

void Onlooker::has_lost() {
    if (now_ != nullptr) now_->abandon();
    has_left();
}

void Onlooker::use(Trace* trace) {
    now_ = trace;
    desync_->set_observer(trace);
}

} // namespace nfqws2::engine
