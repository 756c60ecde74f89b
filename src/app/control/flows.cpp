// "flows": one line a flow, the table walked in pieces while packets come and go.
#include "commands.hpp"
#include "flow_filter.hpp"
#include "walk.hpp"

#include "nfqws2/base/json.hpp"

namespace nfqws2::app {
namespace {

using control::Answer;

constexpr std::size_t flows_per_piece = 256; // some 500 bytes each

void write_side(JsonWriter& json, const flow::Endpoint& endpoint, const flow::SidePositions& side,
                bool tcp) {
    json.open_object();
    json.key("address").text(endpoint.address.text());
    json.key("port").number(endpoint.port);
    json.key("packets").number(side.pcounter);
    json.key("data_packets").number(side.pdcounter);
    json.key("bytes").number(side.pbcounter);
    json.key("pos");
    tcp&& side.seq0_known ? json.number(side.rpos()) : json.null();
    json.close_object();
}

std::uint64_t milliseconds(std::int64_t ns) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0) / 1'000'000);
}

void write_learned(JsonWriter& json, const std::optional<lua::Learned>& learned) {
    json.key("learn");
    if (!learned) return json.null();
    json.open_object();
    json.key("host").text(learned->host);
    json.key("strategy").number(learned->strategy);
    json.key("why").text(learned->why);
    json.key("result").text_or_null(learned->result);
    json.close_object();
}

void write_flow(std::string& out, const flow::Track& track, const Worker& worker,
                std::int64_t now_ns) {
    const flow::Positions positions = track.positions();
    const flow::TrackExtension* extension = track.extension();
    JsonWriter json(out);
    json.open_object();
    json.key("flow").open_object();
    json.key("worker").number(worker.number);
    json.key("id").number(track.number());
    json.key("proto").text(track.is_tcp() ? "tcp" : "udp");
    json.key("client");
    write_side(json, track.client(), positions.client, track.is_tcp());
    json.key("server");
    write_side(json, track.server(), positions.server, track.is_tcp());
    json.key("state").text(state_name(track));
    json.key("l7").text(protocol::name(track.l7()));
    json.key("host").text_or_null(track.hostname());
    json.key("profile");
    const profile::Profile* profile = worker.profiles.in_force(track.profile());
    if (track.profile_searched() && profile != nullptr) {
        json.open_object();
        json.key("n").number(profile->number);
        json.key("name").text_or_null(profile->profile_name);
        json.close_object();
    } else {
        json.null();
    }
    write_learned(json, worker.engine.learned(track));
    json.key("age_ms").number(milliseconds(now_ns - track.start_ns()));
    json.key("idle_ms").number(milliseconds(now_ns - track.last_ns()));
    json.key("held").number(extension != nullptr ? extension->held.size() : 0);
    json.key("retransmissions").number(extension != nullptr ? extension->auto_host.retrans : 0U);
    json.key("cutoff_in").boolean(track.cutoff(false));
    json.key("cutoff_out").boolean(track.cutoff(true));
    json.close_object();
    json.close_object();
    out += '\n';
}

class FlowsWalk final : public Walk {
  public:
    FlowsWalk(FlowFilter filter, std::uint64_t limit) : filter_(std::move(filter)), limit_(limit) {}

    bool piece(Worker& worker, std::string& out) override {
        cursor_ = worker.engine.scan_flows(cursor_, flows_per_piece,
                                           [&](const flow::Track& track, std::int64_t now_ns) {
                                               if (more_ || !filter_.admits(track)) return;
                                               more_ = limit_ != 0 && count_ == limit_;
                                               if (more_) return;
                                               count_++;
                                               write_flow(out, track, worker, now_ns);
                                           });
        return cursor_ == 0;
    }
    bool enough() const override { return more_; }
    bool finish(std::string& out) override {
        JsonWriter json(out);
        json.open_object();
        if (round_ != 0)
            json.key("round").number(round_);
        else
            json.key("end").boolean(true);
        json.key("count").number(count_);
        json.key("more").boolean(more_);
        json.close_object();
        out += '\n';
        return true;
    }
    void set_round(std::uint64_t round) { round_ = round; }

  private:
    const FlowFilter filter_;
    const std::uint64_t limit_;
    std::uint64_t round_ = 0;
    // Of the worker that is being asked, or between two of them.
    std::uint32_t cursor_ = 0;
    std::uint64_t count_ = 0;
    bool more_ = false;
};

// The same walk again and again.
class WatchAnswer final : public Answer {
  public:
    WatchAnswer(Workers& workers, FlowFilter filter, std::uint64_t limit, std::int64_t interval_s)
        : workers_(workers), filter_(std::move(filter)), limit_(limit),
          interval_ms_(interval_s * 1000) {}

    Next write(std::string& out) override {
        if (!round_) {
            if (now_ms() < next_ms_) return Next::later;
            next_ms_ = now_ms() + interval_ms_;
            auto walk = std::make_shared<FlowsWalk>(filter_, limit_);
            walk->set_round(++rounds_);
            round_ = std::make_unique<WalkAnswer>(workers_, std::move(walk));
        }
        const Next next = round_->write(out);
        if (next != Next::end) return next;
        round_.reset();
        return Next::later;
    }
    bool endless() const override { return true; }
    void close(std::string& out) override {
        JsonWriter json(out);
        json.open_object();
        json.key("end").boolean(true);
        json.key("rounds").number(rounds_);
        json.close_object();
        out += '\n';
    }
    int wait_ms() const override {
        return round_ ? -1 : static_cast<int>(std::max<std::int64_t>(next_ms_ - now_ms(), 0));
    }

  private:
    std::int64_t now_ms() const { return workers_.shared().clock.boot_ms(); }

    Workers& workers_;
    const FlowFilter filter_;
    const std::uint64_t limit_;
    const std::int64_t interval_ms_;
    std::int64_t next_ms_ = 0;
    std::uint64_t rounds_ = 0;
    std::unique_ptr<WalkAnswer> round_;
};

} // namespace

control::Command flows_command(const Subject& subject) {
    auto fields = FlowFilter::fields();
    fields.push_back({"limit", control::Kind::number, 0, INT32_MAX});
    fields.push_back({"watch", control::Kind::number, 1, 3600});
    return {"flows", control::Access::read, std::move(fields),
            [&subject](const control::Request& request,
                       control::Refusal* refusal) -> std::unique_ptr<Answer> {
                Workers& workers = subject.workers;
                FlowFilter filter;
                if (!filter.read(request, workers.shared().profiles, refusal)) return nullptr;
                const std::uint64_t limit = limit_of(request);
                if (const std::int64_t* interval = request.number("watch"))
                    return std::make_unique<WatchAnswer>(workers, std::move(filter), limit,
                                                         *interval);
                return std::make_unique<WalkAnswer>(
                    workers, std::make_shared<FlowsWalk>(std::move(filter), limit));
            }};
}

} // namespace nfqws2::app
