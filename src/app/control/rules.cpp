// "rules": what traffic rules have counted and which keys are the fastest; and observing them.
#include "commands.hpp"

#include "nfqws2/base/json.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/rules/statistics.hpp"

#include <algorithm>

namespace nfqws2::app {
namespace {

using control::Answer;
using control::Refusal;
using control::Request;

constexpr std::size_t rules_per_piece = 200;
constexpr int scans_per_piece = 16;
constexpr std::int64_t default_top = 10, most_top = 1000;

void write_table(JsonWriter& json, const char* name, const rules::TableCounts& counts) {
    json.key(name).open_object();
    json.key("entries").number(counts.entries);
    json.key("evicted").number(counts.evicted);
    json.key("memory").number(counts.bytes);
    json.close_object();
}

void write_summary(std::string& out, const Config& config, const rules::Statistics& from) {
    JsonWriter json(out);
    json.open_object();
    json.key("rules").open_object();
    json.key("file").text(config.rules_file);
    json.key("observe").boolean(from.observe);
    json.key("packets").number(from.packets);
    json.key("dropped").number(from.dropped);
    write_table(json, "marks", from.marks);
    write_table(json, "buckets", from.buckets);
    write_table(json, "sources", from.sources);
    json.key("answers_limited").number(from.answers_limited);
    json.close_object();
    json.close_object();
    out += '\n';
}

void write_rule(std::string& out, const rules::Judge::RuleCounts& rule) {
    JsonWriter json(out);
    json.open_object();
    json.key("rule").open_object();
    rules::write_counts(json, rule);
    json.close_object();
    json.close_object();
    out += '\n';
}

void write_counter(std::string& out, const rules::Judge::NamedCounts& counter,
                   std::int64_t now_ns) {
    JsonWriter json(out);
    json.open_object();
    json.key("counter").open_object();
    json.key("name").text(counter.name);
    json.key("packets").number(counter.counts.packets);
    json.key("bytes").number(counter.counts.bytes);
    json.key("idle_ms");
    const std::int64_t idle_ns = std::max<std::int64_t>(now_ns - counter.last_ns, 0);
    counter.counts.packets != 0 ? json.number(static_cast<std::uint64_t>(idle_ns / 1'000'000))
                                : json.null();
    json.close_object();
    json.close_object();
    out += '\n';
}

void write_meter(std::string& out, const char* kind, const rules::Statistics::Meter& meter) {
    JsonWriter json(out);
    json.open_object();
    json.key("meter").open_object();
    json.key("kind").text(kind);
    json.key("id").number(meter.id);
    json.key("buckets").number(meter.counts.buckets);
    json.key("exceed").number(meter.counts.exceed);
    json.key("violate").number(meter.counts.violate);
    json.key("buckets_full").number(meter.counts.buckets_full);
    json.close_object();
    json.close_object();
    out += '\n';
}

void write_authentication(std::string& out, const rules::Statistics::Authentication& one) {
    JsonWriter json(out);
    json.open_object();
    json.key("tcpauth").open_object();
    json.key("id").number(one.id);
    json.key("sources").number(one.counts.sources);
    json.key("challenged").number(one.counts.challenged);
    json.key("passed").number(one.counts.passed);
    json.close_object();
    json.close_object();
    out += '\n';
}

void write_top(std::string& out, const rules::Meters::Listed& bucket) {
    JsonWriter json(out);
    json.open_object();
    json.key("top").open_object();
    json.key("id").number(bucket.id);
    const bool named = !bucket.address.empty();
    json.key("address").text_or_null(named ? bucket.address.text() : std::string());
    json.key("key").text_or_null(named ? std::string() : to_hex(bucket.key));
    json.key("pps").number(bucket.pps);
    json.key("bps").number(bucket.bps);
    json.close_object();
    json.close_object();
    out += '\n';
}

class RulesAnswer final : public Answer {
  public:
    RulesAnswer(const Subject& subject, TrafficRules& rules, std::size_t top)
        : subject_(subject), rules_(rules), listing_(rules.judges()), most_(top), fastest_(top) {}

    Next write(std::string& out) override {
        switch (step_) {
        case Step::summary:
            write_counts(out);
            step_ = Step::rules;
            return Next::more;
        case Step::rules:
            if (!write_rules(out)) step_ = most_ > 0 ? Step::scan : Step::end;
            return Next::more;
        case Step::scan:
            if (!scan()) step_ = Step::end;
            return Next::more;
        case Step::end:
            break;
        }
        for (const rules::Meters::Listed& bucket : fastest_.sorted())
            write_top(out, bucket);
        out += end_line(count_);
        return Next::end;
    }

  private:
    enum class Step : std::uint8_t { summary, rules, scan, end };

    void write_counts(std::string& out) {
        const auto& clock = subject_.workers.shared().clock;
        const rules::Statistics counted =
            rules::statistics_without_rules(rules_.judges(), rules_.tables(), clock.unix_s());
        write_summary(out, subject_.config, counted);
        for (const auto& counter : counted.counters)
            write_counter(out, counter, clock.boot_ns());
        for (const auto& meter : counted.ratelimits)
            write_meter(out, "ratelimit", meter);
        for (const auto& meter : counted.rates)
            write_meter(out, "rate", meter);
        for (const auto& one : counted.authentications)
            write_authentication(out, one);
    }
    // False: those were all.
    bool write_rules(std::string& out) {
        const auto piece = listing_.next(rules_per_piece);
        for (const rules::Judge::RuleCounts& rule : piece)
            write_rule(out, rule);
        count_ += piece.size();
        return !piece.empty();
    }
    bool scan() {
        const std::int64_t now_ns = subject_.workers.shared().clock.boot_ns();
        for (int i = 0; i < scans_per_piece; i++) {
            cursor_ = rules_.tables().meters.scan(
                cursor_, now_ns, [this](const auto& bucket) { fastest_.see(bucket); });
            if (cursor_ == 0) return false;
        }
        return true;
    }

    const Subject& subject_;
    TrafficRules& rules_;
    rules::RuleListing listing_;
    std::size_t most_;
    Step step_ = Step::summary;
    std::uint64_t cursor_ = 0, count_ = 0;
    rules::Fastest fastest_;
};

std::unique_ptr<Answer> observe(TrafficRules& rules, const Request& request, const std::string& how,
                                Refusal* refusal) {
    *refusal = {"bad-field", "'observe' is on or off"};
    if (how != "on" && how != "off") return nullptr;
    *refusal = {"forbidden", "'observe' is not for this user"};
    if (request.access < control::Access::all) return nullptr;
    rules.tables().observe = how == "on";
    log::status("rules: %s", how == "on" ? "observing, nothing is dropped" : "in force again");
    return std::make_unique<control::ReadyAnswer>(
        std::string("{\"observe\":") + (how == "on" ? "true" : "false") + ",\"end\":true}\n");
}

} // namespace

control::Command rules_command(const Subject& subject) {
    using control::Kind;
    return {"rules",
            control::Access::read,
            {{"limit", Kind::number, 0, most_top}, {"observe", Kind::text}},
            [&subject](const Request& request, Refusal* refusal) -> std::unique_ptr<Answer> {
                *refusal = {"failed", "rules are not loaded"};
                auto& rules = subject.workers.shared().rules;
                if (!rules) return nullptr;
                if (const std::string* how = request.text("observe"))
                    return observe(*rules, request, *how, refusal);
                const std::int64_t* limit = request.number("limit");
                const std::int64_t top = limit != nullptr ? *limit : default_top;
                return std::make_unique<RulesAnswer>(subject, *rules,
                                                     static_cast<std::size_t>(top));
            }};
}

} // namespace nfqws2::app
