#include "nfqws2/rules/statistics.hpp"

#include "in_force.hpp"
#include "nfqws2/base/json.hpp"

#include <algorithm>
#include <map>

namespace nfqws2::rules {
namespace {

void add(Judge::Counts& sum, const Judge::Counts& more) {
    sum.packets += more.packets;
    sum.bytes += more.bytes;
    sum.dropped += more.dropped;
}

// In the order of the file. While a reload goes on, one worker may know rules that another does
// not.
void write_rules(JsonWriter& json, std::span<const Judge* const> judges) {
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
    json.key("rules").open_array();
    for (const Judge::RuleCounts& rule : sums) {
        json.open_object();
        json.key("name").text(rule.name);
        json.key("profile").text(rule.profile);
        json.key("chain").text(rule.chain);
        json.key("packets").number(rule.counts.packets);
        json.key("bytes").number(rule.counts.bytes);
        json.key("dropped").number(rule.counts.dropped);
        json.close_object();
    }
    json.close_array();
}

void write_counters(JsonWriter& json, std::span<const Judge* const> judges) {
    std::map<std::string, Judge::NamedCounts> sums;
    for (const Judge* judge : judges)
        for (const Judge::NamedCounts& counter : judge->counters()) {
            Judge::NamedCounts& sum = sums[counter.name];
            add(sum.counts, counter.counts);
            sum.last_ns = std::max(sum.last_ns, counter.last_ns);
        }
    json.key("counters").open_object();
    for (const auto& [name, counter] : sums) {
        json.key(name).open_object();
        json.key("packets").number(counter.counts.packets);
        json.key("bytes").number(counter.counts.bytes);
        json.key("last").number(static_cast<std::uint64_t>(counter.last_ns / 1'000'000'000));
        json.close_object();
    }
    json.close_object();
}

void write_meters(JsonWriter& json, const InForce& rules, const Tables& tables) {
    json.key("meters").open_object();
    json.key("buckets").number(tables.meters.counts().entries);
    const auto write = [&json](const auto& meters) {
        json.open_object();
        for (const auto& meter : meters) {
            const RateLimit::Counts counts = meter->counts();
            json.key(std::to_string(meter->id())).open_object();
            json.key("exceed").number(counts.exceed);
            json.key("violate").number(counts.violate);
            json.key("buckets_full").number(counts.buckets_full);
            json.close_object();
        }
        json.close_object();
    };
    json.key("ratelimit");
    write(rules.ratelimits);
    json.key("rate");
    write(rules.rates);
    json.close_object();
}

void write_tcpauth(JsonWriter& json, const InForce& rules, const Tables& tables) {
    json.key("tcpauth").open_object();
    for (const action::TcpAuth& auth : rules.program->authentications) {
        const TcpAuth::Counts counts = tables.authentication.counts(auth.id);
        json.key(std::to_string(auth.id)).open_object();
        json.key("sources").number(counts.sources);
        json.key("challenged").number(counts.challenged);
        json.key("passed").number(counts.passed);
        json.close_object();
    }
    json.close_object();
    json.key("tcpauth_limited").number(tables.authentication.limited());
}

} // namespace

std::string statistics(std::span<const Judge* const> judges, const Tables& tables,
                       std::int64_t unix_s) {
    std::uint64_t packets = 0, dropped = 0;
    for (const Judge* judge : judges) {
        packets += judge->packets();
        dropped += judge->dropped();
    }
    const std::shared_ptr<const InForce> rules = judges.front()->rules();
    std::string text;
    JsonWriter json(text);
    json.open_object();
    json.key("t").number(static_cast<std::uint64_t>(unix_s));
    json.key("packets").number(packets);
    json.key("dropped").number(dropped);
    write_rules(json, judges);
    write_counters(json, judges);
    write_meters(json, *rules, tables);
    const TableCounts marks = tables.marks.counts();
    json.key("marks").open_object();
    json.key("entries").number(marks.entries);
    json.key("evicted").number(marks.evicted);
    json.close_object();
    write_tcpauth(json, *rules, tables);
    json.key("end").boolean(true);
    json.close_object();
    return text + "\n";
}

} // namespace nfqws2::rules
