// "counters": all that is counted, a line for each worker and profile.
#include "commands.hpp"
#include "learned_hosts.hpp"
#include "tally.hpp"
#include "walk.hpp"

#include "nfqws2/base/json.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>

namespace nfqws2::app {
namespace {

constexpr std::size_t profiles_per_piece = 64;

void write_tally(JsonWriter& json, const WorkerTally& tally) {
    json.key("packets").number(tally.counters.packets);
    json.key("bytes").number(tally.counters.bytes);
    json.key("accepted").number(tally.counters.accepted);
    json.key("modified").number(tally.counters.modified);
    json.key("dropped").number(tally.counters.dropped);
    json.key("ignored").number(tally.counters.ignored);
    json.key("lua_errors").number(tally.counters.lua_errors);
    json.key("flows").number(tally.flows);
    json.key("flows_seen").number(tally.flows_seen);
    json.key("flows_evicted").number(tally.flows_evicted);
    json.key("held").number(tally.held_now);
    json.key("held_seen").number(tally.counters.held);
    json.key("queue_lost").number(tally.queue_lost);
}

void write_instance(JsonWriter& json, const profile::LuaInstance& instance,
                    const lua::InstanceCounts& counts, const Learnings& learnings) {
    json.open_object();
    json.key("name").text(instance.name);
    json.key("func").text(instance.func);
    json.key("called").number(counts.called);
    json.key("sent").number(counts.sent);
    json.key("modified").number(counts.modified);
    json.key("dropped").number(counts.dropped);
    json.key("errors").number(counts.errors);
    json.key("us");
    if (counts.timed == 0)
        json.null();
    else
        json.raw(format("%.1f", static_cast<double>(counts.timed_ns) /
                                    static_cast<double>(counts.timed) / 1000));
    if (const auto sums = learnings.sums(instance)) write_strategies(json.key("strategies"), *sums);
    json.close_object();
}

void write_profile(std::string& out, const profile::Profile& profile, const ProfileTally& tally,
                   const Learnings& learnings) {
    JsonWriter json(out);
    json.open_object();
    json.key("profile").open_object();
    json.key("n").number(profile.number);
    json.key("name").text_or_null(profile.profile_name);
    json.key("flows").number(tally.counts.flows);
    json.key("packets").number(tally.counts.packets);
    json.key("instances").open_array();
    const std::size_t count = std::min(profile.instances.size(), tally.instances.size());
    for (std::size_t i = 0; i < count; i++)
        write_instance(json, profile.instances[i], tally.instances[i], learnings);
    json.close_array();
    json.close_object();
    json.close_object();
    out += '\n';
}

class CountersWalk final : public Walk {
  public:
    explicit CountersWalk(const Subject& subject)
        : subject_(subject), tally_(subject.workers.shared().profiles.generation()),
          learnings_(subject.workers.shared().stores, *tally_.generation) {}

    bool piece(Worker& worker, std::string&) override {
        tally_.take(worker);
        return true;
    }
    bool finish(std::string& out) override {
        const auto& profiles = tally_.generation->profiles;
        if (written_ == 0) write_workers(out);
        const std::size_t stop = std::min(written_ + profiles_per_piece, profiles.size());
        for (; written_ < stop; written_++)
            write_profile(out, *profiles[written_], tally_.profiles[written_], learnings_);
        if (written_ < profiles.size()) return false;
        out += end_line(written_);
        return true;
    }

  private:
    void write_workers(std::string& out) const {
        const std::int64_t up_ms =
            subject_.workers.shared().clock.boot_ms() - subject_.start.boot_ms;
        JsonWriter total(out);
        total.open_object();
        total.key("total").open_object();
        total.key("uptime_s").number(static_cast<std::uint64_t>(up_ms / 1000));
        write_tally(total, tally_.total());
        total.close_object();
        total.close_object();
        out += '\n';
        for (const WorkerTally& worker : tally_.workers) {
            JsonWriter json(out);
            json.open_object();
            json.key("worker").open_object();
            json.key("n").number(worker.worker);
            json.key("queue");
            if (subject_.config.intercept)
                json.number(subject_.config.qnum.value_or(0) + worker.worker);
            else
                json.null();
            write_tally(json, worker);
            json.close_object();
            json.close_object();
            out += '\n';
        }
    }

    const Subject& subject_;
    Tally tally_;
    const Learnings learnings_;
    std::size_t written_ = 0;
};

} // namespace

control::Command counters_command(const Subject& subject) {
    return {
        "counters",
        control::Access::read,
        {},
        [&subject](const control::Request&, control::Refusal*) -> std::unique_ptr<control::Answer> {
            return std::make_unique<WalkAnswer>(subject.workers,
                                                std::make_shared<CountersWalk>(subject));
        }};
}

} // namespace nfqws2::app
