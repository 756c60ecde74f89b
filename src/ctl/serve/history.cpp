#include "serve/history.hpp"

namespace nfqws2::ctl {

Json make_sample(const std::vector<Json>& counters, const std::vector<Json>& status, double at) {
    Json sample{{"at", at}};
    for (const Json& line : counters) {
        const Json& total = member(line, "total");
        if (!total.is_object()) continue;
        for (const char* key : {"packets", "bytes", "modified", "dropped", "flows", "flows_seen",
                                "flows_evicted", "held", "lua_errors", "queue_lost"})
            sample[key] = integer_of(member(total, key)).value_or(0);
    }
    for (const Json& line : status) {
        const Json& s = member(line, "status");
        if (!s.is_object()) continue;
        sample["uptime_s"] = integer_of(member(s, "uptime_s")).value_or(0);
        sample["rss"] = integer_of(member(member(s, "memory"), "rss")).value_or(0);
    }
    return sample;
}

void History::add(std::optional<Json> sample) {
    const std::lock_guard lock(mutex_);
    last_ = sample ? *sample : Json();
    number_++;
    if (sample) {
        // A daemon that was started again counts from zero.
        const auto packets = [](const Json& s) {
            return integer_of(member(s, "packets")).value_or(0);
        };
        if (!samples_.empty() && packets(samples_.back()) > packets(*sample)) samples_.clear();
        samples_.push_back(std::move(*sample));
        if (samples_.size() > most) samples_.pop_front();
    }
    added_.notify_all();
}

Json History::all() const {
    const std::lock_guard lock(mutex_);
    Json list = Json::array();
    for (const Json& sample : samples_)
        list.push_back(sample);
    return list;
}

std::uint64_t History::number() const {
    const std::lock_guard lock(mutex_);
    return number_;
}

std::optional<Json> History::next(std::uint64_t& seen, std::chrono::milliseconds most_time) const {
    std::unique_lock lock(mutex_);
    if (!added_.wait_for(lock, most_time, [&] { return number_ != seen; })) return std::nullopt;
    seen = number_;
    return last_;
}

} // namespace nfqws2::ctl
