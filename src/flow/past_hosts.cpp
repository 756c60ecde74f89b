// Theory of operation. A clock: each name that is used becomes fresh; the hand, in search of a
// place, takes away freshness and the first place without it.
#include "nfqws2/flow/past_hosts.hpp"

#include "nfqws2/flow/track.hpp"

namespace nfqws2::flow {

PastHosts::PastHosts(std::size_t most, MemoryBudget* budget)
    : most_(most), budget_(budget), share_(budget, MemoryBudget::Part::flows) {
}

std::size_t PastHosts::cost(std::string_view name) {
    return sizeof(Host) + 64 + name.size(); // 64: a node of the index
}

PastHosts::Host* PastHosts::room_for(std::string_view name) {
    const bool room = budget_ == nullptr || budget_->room(cost(name));
    if (hosts_.size() < most_ && room) return &hosts_.emplace_back();
    if (hosts_.empty()) return nullptr;
    while (hosts_[hand_].fresh) {
        hosts_[hand_].fresh = false;
        hand_ = (hand_ + 1) % hosts_.size();
    }
    Host& old = hosts_[hand_];
    hand_ = (hand_ + 1) % hosts_.size();
    by_name_.erase(old.name);
    bytes_ -= cost(old.name);
    old = Host{};
    return &old;
}

void PastHosts::add(const Track& track, std::int64_t unix_s) {
    const std::string_view name = track.hostname();
    if (name.empty()) return;
    const auto known = by_name_.find(name);
    Host* host = known != by_name_.end() ? known->second : room_for(name);
    if (host == nullptr) return;
    if (known == by_name_.end()) {
        host->name = name;
        by_name_.emplace(host->name, host);
        bytes_ += cost(name);
        share_.set(bytes_);
    }
    const Positions positions = track.positions();
    host->flows++;
    host->answered += positions.server.pdcounter != 0;
    host->bytes += positions.client.pbcounter + positions.server.pbcounter;
    host->seen_s = unix_s;
    host->fresh = true;
}

} // namespace nfqws2::flow
