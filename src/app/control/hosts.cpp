// "hosts": the flows that are tracked now, and those that have ended, summed up by host name.
#include "commands.hpp"
#include "flow_filter.hpp"
#include "learned_hosts.hpp"
#include "walk.hpp"

#include "nfqws2/base/json.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/flow/past_hosts.hpp"

#include <algorithm>
#include <map>

namespace nfqws2::app {
namespace {

constexpr std::size_t most_hosts = 10'000, flows_per_piece = 1024, lines_per_piece = 128;
constexpr std::size_t past_per_piece = 256;
constexpr std::size_t most_profiles = 16; // shown of a host

struct HostSum {
    std::uint64_t flows = 0, answered = 0, tcp = 0, packets = 0, bytes = 0, held = 0;
    std::uint64_t retransmissions = 0;
    std::int64_t idle_ns = INT64_MAX;
    std::vector<std::uint32_t> profiles;
    std::uint64_t past_flows = 0, past_answered = 0, past_bytes = 0;
    std::int64_t past_seen_s = 0;

    void add(const flow::Track& track, const profile::ProfileSet& all, std::int64_t now_ns);
    void add(const flow::PastHosts::Host& past);
    std::uint64_t all_flows() const { return flows + past_flows; }
};

void HostSum::add(const flow::Track& track, const profile::ProfileSet& all, std::int64_t now_ns) {
    const flow::Positions positions = track.positions();
    const flow::TrackExtension* extension = track.extension();
    flows++;
    answered += positions.server.pdcounter != 0;
    tcp += track.is_tcp();
    packets += positions.client.pcounter + positions.server.pcounter;
    bytes += positions.client.pbcounter + positions.server.pbcounter;
    if (extension != nullptr) {
        held += extension->held.size();
        retransmissions += extension->auto_host.retrans;
    }
    idle_ns = std::min(idle_ns, now_ns - track.last_ns());
    const profile::Profile* profile = all.in_force(track.profile());
    if (!track.profile_searched() || profile == nullptr || profiles.size() == most_profiles) return;
    if (std::find(profiles.begin(), profiles.end(), profile->number) == profiles.end())
        profiles.push_back(profile->number);
}

void HostSum::add(const flow::PastHosts::Host& past) {
    past_flows += past.flows;
    past_answered += past.answered;
    past_bytes += past.bytes;
    past_seen_s = std::max(past_seen_s, past.seen_s);
}

class HostsWalk final : public Walk {
  public:
    HostsWalk(const Shared& shared, std::optional<std::string> below, std::uint64_t limit)
        : generation_(shared.profiles.generation()), learnings_(shared.stores, *generation_),
          below_(std::move(below)), limit_(limit) {}

    bool piece(Worker& worker, std::string&) override {
        if (in_past_) return past_piece(worker);
        cursor_ = worker.engine.scan_flows(
            cursor_, flows_per_piece,
            [this, &worker](const flow::Track& track, std::int64_t now_ns) {
                if (HostSum* sum = sum_of(track.hostname()))
                    sum->add(track, worker.profiles, now_ns);
            });
        in_past_ = cursor_ == 0;
        return in_past_ && worker.engine.past_hosts() == nullptr && end_of_worker();
    }
    bool finish(std::string& out) override {
        if (order_.empty() && !sums_.empty()) sort();
        const std::size_t stop = std::min(written_ + lines_per_piece, order_.size());
        for (; written_ < stop; written_++)
            write(out, *order_[written_]);
        if (written_ < order_.size()) return false;
        out += end_line(written_, more_);
        return true;
    }

  private:
    using Sums = std::map<std::string, HostSum, std::less<>>;

    bool past_piece(Worker& worker) {
        const flow::PastHosts& past = *worker.engine.past_hosts();
        const std::size_t stop = std::min(past_place_ + past_per_piece, past.size());
        for (; past_place_ < stop; past_place_++)
            if (HostSum* sum = sum_of(past.at(past_place_).name)) sum->add(past.at(past_place_));
        return past_place_ == past.size() && end_of_worker();
    }
    bool end_of_worker() {
        in_past_ = false;
        past_place_ = 0;
        return true;
    }
    // nullptr: nobody asked for it, or there are too many.
    HostSum* sum_of(std::string_view name) {
        if (name.empty() || (below_ && !is_host_below(name, *below_))) return nullptr;
        const auto at = sums_.find(name);
        if (at != sums_.end()) return &at->second;
        more_ = more_ || sums_.size() == most_hosts;
        return sums_.size() == most_hosts ? nullptr : &sums_.emplace(name, HostSum{}).first->second;
    }
    void sort() {
        for (const auto& sum : sums_)
            order_.push_back(&sum);
        const bool cut = limit_ != 0 && limit_ < order_.size();
        const std::size_t count = cut ? static_cast<std::size_t>(limit_) : order_.size();
        more_ = more_ || cut;
        std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(count),
                          order_.end(), [](const auto* a, const auto* b) {
                              const std::uint64_t of_a = a->second.all_flows(),
                                                  of_b = b->second.all_flows();
                              return of_a != of_b ? of_a > of_b : a->first < b->first;
                          });
        order_.resize(count);
    }
    static void write_past(JsonWriter& json, const HostSum& sum) {
        json.key("past");
        if (sum.past_flows == 0) {
            json.null();
            return;
        }
        json.open_object();
        json.key("flows").number(sum.past_flows);
        json.key("answered").number(sum.past_answered);
        json.key("bytes").number(sum.past_bytes);
        json.key("last_seen_at").number(static_cast<std::uint64_t>(sum.past_seen_s));
        json.close_object();
    }
    void write(std::string& out, const Sums::value_type& row) const {
        const HostSum& sum = row.second;
        JsonWriter json(out);
        json.open_object();
        json.key("host").open_object();
        json.key("name").text(row.first);
        json.key("flows").number(sum.flows);
        json.key("answered").number(sum.answered);
        json.key("tcp").number(sum.tcp);
        json.key("udp").number(sum.flows - sum.tcp);
        json.key("packets").number(sum.packets);
        json.key("bytes").number(sum.bytes);
        json.key("profiles").open_array();
        for (const std::uint32_t profile : sum.profiles)
            json.number(profile);
        json.close_array();
        json.key("held").number(sum.held);
        json.key("retransmissions").number(sum.retransmissions);
        json.key("idle_ms");
        if (sum.flows != 0)
            json.number(
                static_cast<std::uint64_t>(std::max<std::int64_t>(sum.idle_ns, 0) / 1'000'000));
        else
            json.null();
        write_past(json, sum);
        json.key("learn");
        if (const auto results = learnings_.of_host(row.first))
            write_results(json, *results);
        else
            json.null();
        json.close_object();
        json.close_object();
        out += '\n';
    }

    const profile::GenerationPtr generation_;
    const Learnings learnings_;
    const std::optional<std::string> below_;
    const std::uint64_t limit_;
    std::uint32_t cursor_ = 0;
    std::size_t past_place_ = 0;
    bool in_past_ = false, more_ = false;
    Sums sums_;
    std::vector<const Sums::value_type*> order_;
    std::size_t written_ = 0;
};

} // namespace

control::Command hosts_command(const Subject& subject) {
    using control::Kind;
    return {"hosts",
            control::Access::read,
            {{"host", Kind::text}, {"limit", Kind::number, 0, INT32_MAX}},
            [&subject](const control::Request& request,
                       control::Refusal*) -> std::unique_ptr<control::Answer> {
                std::optional<std::string> below;
                if (const std::string* host = request.text("host")) below = ascii_lower(*host);
                const std::uint64_t limit = limit_of(request);
                return std::make_unique<WalkAnswer>(
                    subject.workers,
                    std::make_shared<HostsWalk>(subject.workers.shared(), std::move(below), limit));
            }};
}

} // namespace nfqws2::app
