#include "nfqws2/rules/statistics.hpp"

#include "in_force.hpp"
#include "nfqws2/base/json.hpp"
#include "nfqws2/base/sort.hpp"

#include <algorithm>
#include <map>

namespace nfqws2::rules {
namespace {

void add(Judge::Counts& sum, const Judge::Counts& more) {
    sum.packets += more.packets;
    sum.bytes += more.bytes;
    sum.dropped += more.dropped;
}

// While a reload goes on, one worker may know rules that another does not.
std::vector<Judge::RuleCounts> sum_rules(std::span<const Judge* const> judges) {
    std::vector<Judge::RuleCounts> sums;
    std::map<std::string, std::size_t> places;
    for (const Judge* judge : judges)
        for (Judge::RuleCounts& rule : judge->rule_counts()) {
            const auto [at, fresh] =
                places.try_emplace(rule.profile + "/" + rule.name, sums.size());
            if (fresh)
                sums.push_back(std::move(rule));
            else
                add(sums[at->second].counts, rule.counts);
        }
    return sums;
}

std::vector<Judge::NamedCounts> sum_counters(std::span<const Judge* const> judges) {
    std::map<std::string, Judge::NamedCounts> sums;
    for (const Judge* judge : judges)
        for (const Judge::NamedCounts& counter : judge->counters()) {
            Judge::NamedCounts& sum = sums[counter.name];
            sum.name = counter.name;
            add(sum.counts, counter.counts);
            sum.last_ns = std::max(sum.last_ns, counter.last_ns);
        }
    std::vector<Judge::NamedCounts> out;
    for (auto& [name, sum] : sums)
        out.push_back(std::move(sum));
    return out;
}

void write_rules(JsonWriter& json, const Statistics& from) {
    json.key("rules").open_array();
    for (const Judge::RuleCounts& rule : from.rules) {
        json.open_object();
        write_counts(json, rule);
        json.close_object();
    }
    json.close_array();
}

void write_counters(JsonWriter& json, const Statistics& from) {
    json.key("counters").open_object();
    for (const Judge::NamedCounts& counter : from.counters) {
        json.key(counter.name).open_object();
        json.key("packets").number(counter.counts.packets);
        json.key("bytes").number(counter.counts.bytes);
        json.key("last").number(static_cast<std::uint64_t>(counter.last_ns / 1'000'000'000));
        json.close_object();
    }
    json.close_object();
}

void write_meters(JsonWriter& json, const Statistics& from) {
    json.key("meters").open_object();
    json.key("buckets").number(from.buckets.entries);
    const auto write = [&json](const std::vector<Statistics::Meter>& meters) {
        json.open_object();
        for (const Statistics::Meter& meter : meters) {
            json.key(std::to_string(meter.id)).open_object();
            json.key("buckets").number(meter.counts.buckets);
            json.key("exceed").number(meter.counts.exceed);
            json.key("violate").number(meter.counts.violate);
            json.key("buckets_full").number(meter.counts.buckets_full);
            json.close_object();
        }
        json.close_object();
    };
    json.key("ratelimit");
    write(from.ratelimits);
    json.key("rate");
    write(from.rates);
    json.close_object();
}

void write_tcpauth(JsonWriter& json, const Statistics& from) {
    json.key("tcpauth").open_object();
    for (const Statistics::Authentication& one : from.authentications) {
        json.key(std::to_string(one.id)).open_object();
        json.key("sources").number(one.counts.sources);
        json.key("challenged").number(one.counts.challenged);
        json.key("passed").number(one.counts.passed);
        json.close_object();
    }
    json.close_object();
    json.key("tcpauth_limited").number(from.answers_limited);
}

bool faster(const Meters::Listed& a, const Meters::Listed& b) {
    return a.pps > b.pps;
}

} // namespace

void Fastest::see(const Meters::Listed& bucket) {
    if (bucket.id == 0 || bucket.pps == 0 || most_ == 0) return;
    if (heap_.size() == most_) {
        if (bucket.pps <= heap_.front().pps) return;
        std::ranges::pop_heap(heap_, faster);
        heap_.back() = bucket;
    } else {
        heap_.push_back(bucket);
    }
    std::ranges::push_heap(heap_, faster);
}

std::vector<Meters::Listed> Fastest::sorted() const {
    std::vector<Meters::Listed> out = heap_;
    sort_stably(out, faster);
    return out;
}

RuleListing::RuleListing(std::vector<const Judge*> judges)
    : judges_(std::move(judges)), rules_(judges_.front()->rules()) {
}

std::vector<Judge::RuleCounts> RuleListing::next(std::size_t most) {
    const Program& program = *rules_->program;
    const std::size_t begin = at_;
    at_ = std::min(begin + most, program.rules.size());
    std::vector<Judge::RuleCounts> out;
    for (std::size_t i = begin; i < at_; i++) {
        const Rule& rule = program.rules[i];
        out.push_back(
            {rule.name, program.profiles[rule.profile].name, program.chains[rule.chain].name, {}});
    }
    for (const Judge* judge : judges_)
        judge->add_counts(*rules_, begin, out);
    return out;
}

Statistics statistics(std::span<const Judge* const> judges, const Tables& tables,
                      std::int64_t unix_s) {
    Statistics out = statistics_without_rules(judges, tables, unix_s);
    out.rules = sum_rules(judges);
    return out;
}

Statistics statistics_without_rules(std::span<const Judge* const> judges, const Tables& tables,
                                    std::int64_t unix_s) {
    Statistics out;
    out.unix_s = unix_s;
    for (const Judge* judge : judges) {
        out.packets += judge->packets();
        out.dropped += judge->dropped();
    }
    out.observe = tables.observe.load(std::memory_order_relaxed);
    out.counters = sum_counters(judges);
    const std::shared_ptr<const InForce> rules = judges.front()->rules();
    for (const auto& meter : rules->ratelimits)
        out.ratelimits.push_back({meter->id(), meter->counts()});
    for (const auto& meter : rules->rates)
        out.rates.push_back({meter->id(), meter->counts()});
    out.marks = tables.marks.counts();
    out.buckets = tables.meters.counts();
    out.sources = tables.authentication.table_counts();
    for (const action::TcpAuth& auth : rules->program->authentications)
        out.authentications.push_back({auth.id, tables.authentication.counts(auth.id)});
    out.answers_limited = tables.authentication.limited();
    return out;
}

void write_counts(JsonWriter& json, const Judge::RuleCounts& rule) {
    json.key("name").text(rule.name);
    json.key("profile").text(rule.profile);
    json.key("chain").text(rule.chain);
    json.key("packets").number(rule.counts.packets);
    json.key("bytes").number(rule.counts.bytes);
    json.key("dropped").number(rule.counts.dropped);
}

std::string to_json(const Statistics& from) {
    std::string text;
    JsonWriter json(text);
    json.open_object();
    json.key("t").number(static_cast<std::uint64_t>(from.unix_s));
    json.key("packets").number(from.packets);
    json.key("dropped").number(from.dropped);
    json.key("observe").boolean(from.observe);
    write_rules(json, from);
    write_counters(json, from);
    write_meters(json, from);
    json.key("marks").open_object();
    json.key("entries").number(from.marks.entries);
    json.key("evicted").number(from.marks.evicted);
    json.close_object();
    write_tcpauth(json, from);
    json.key("captured").number(from.outputs.captured);
    json.key("not_captured").number(from.outputs.not_captured);
    json.key("exported").number(from.outputs.exported);
    json.key("export_lost").number(from.outputs.lost);
    json.key("end").boolean(true);
    json.close_object();
    return text + "\n";
}

} // namespace nfqws2::rules
