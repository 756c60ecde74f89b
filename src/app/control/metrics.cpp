// "metrics": the counters in the text format of Prometheus, a family of series a piece.
#include "commands.hpp"
#include "tally.hpp"
#include "walk.hpp"

#include "nfqws2/base/json.hpp"

#include <algorithm>
#include <array>

namespace nfqws2::app {
namespace {

constexpr std::size_t most_series = 5000;

struct WorkerFamily {
    const char* name;
    const char* type;
    std::uint64_t (*value)(const WorkerTally&);
};
constexpr std::array worker_families = {
    WorkerFamily{"nfqws2_packets_total", "counter",
                 [](const WorkerTally& t) { return t.counters.packets; }},
    WorkerFamily{"nfqws2_bytes_total", "counter",
                 [](const WorkerTally& t) { return t.counters.bytes; }},
    WorkerFamily{"nfqws2_accepted_total", "counter",
                 [](const WorkerTally& t) { return t.counters.accepted; }},
    WorkerFamily{"nfqws2_modified_total", "counter",
                 [](const WorkerTally& t) { return t.counters.modified; }},
    WorkerFamily{"nfqws2_dropped_total", "counter",
                 [](const WorkerTally& t) { return t.counters.dropped; }},
    WorkerFamily{"nfqws2_ignored_total", "counter",
                 [](const WorkerTally& t) { return t.counters.ignored; }},
    WorkerFamily{"nfqws2_lua_errors_total", "counter",
                 [](const WorkerTally& t) { return t.counters.lua_errors; }},
    WorkerFamily{"nfqws2_held_total", "counter",
                 [](const WorkerTally& t) { return t.counters.held; }},
    WorkerFamily{"nfqws2_flows_seen_total", "counter",
                 [](const WorkerTally& t) { return t.flows_seen; }},
    WorkerFamily{"nfqws2_flows_evicted_total", "counter",
                 [](const WorkerTally& t) { return t.flows_evicted; }},
    WorkerFamily{"nfqws2_queue_lost_total", "counter",
                 [](const WorkerTally& t) { return t.queue_lost; }},
    WorkerFamily{"nfqws2_flows", "gauge", [](const WorkerTally& t) { return t.flows; }},
    WorkerFamily{"nfqws2_held", "gauge", [](const WorkerTally& t) { return t.held_now; }},
};

struct ProfileFamily {
    const char* name;
    std::uint64_t (*value)(const engine::ProfileCounts&);
};
constexpr std::array profile_families = {
    ProfileFamily{"nfqws2_profile_flows_total",
                  [](const engine::ProfileCounts& c) { return c.flows; }},
    ProfileFamily{"nfqws2_profile_packets_total",
                  [](const engine::ProfileCounts& c) { return c.packets; }},
};

struct InstanceFamily {
    const char* name;
    std::uint64_t lua::InstanceCounts::*value;
};
constexpr std::array instance_families = {
    InstanceFamily{"nfqws2_instance_called_total", &lua::InstanceCounts::called},
    InstanceFamily{"nfqws2_instance_sent_total", &lua::InstanceCounts::sent},
    InstanceFamily{"nfqws2_instance_modified_total", &lua::InstanceCounts::modified},
    InstanceFamily{"nfqws2_instance_dropped_total", &lua::InstanceCounts::dropped},
    InstanceFamily{"nfqws2_instance_errors_total", &lua::InstanceCounts::errors},
};

// A label's value as the format wants it.
std::string escaped(std::string_view value) {
    std::string text;
    for (const char c : value) {
        if (c == '\\' || c == '"') text += '\\';
        if (c == '\n')
            text += "\\n";
        else
            text += c;
    }
    return text;
}

class Page {
  public:
    void family(const char* name, const char* type) {
        name_ = name;
        text += std::string("# TYPE ") + name + " " + type + "\n";
    }
    void series(const std::string& labels, std::uint64_t value, std::size_t* count) {
        if (*count == most_series) return;
        ++*count;
        text += name_ + "{" + labels + "} " + std::to_string(value) + "\n";
    }
    std::string text;

  private:
    std::string name_;
};

std::string labels_of(const profile::Profile& profile) {
    return "profile=\"" + std::to_string(profile.number) + "\",name=\"" +
           escaped(profile.profile_name) + "\"";
}

class MetricsWalk final : public Walk {
  public:
    explicit MetricsWalk(const Subject& subject)
        : tally_(subject.workers.shared().profiles.generation()) {}

    bool piece(Worker& worker, std::string&) override {
        tally_.take(worker);
        return true;
    }
    bool finish(std::string& out) override {
        Page page;
        std::size_t at = family_++;
        if (at < worker_families.size()) {
            write_workers(page, worker_families[at]);
        } else if ((at -= worker_families.size()) < profile_families.size()) {
            write_profiles(page, profile_families[at]);
        } else if ((at -= profile_families.size()) < instance_families.size()) {
            write_instances(page, instance_families[at]);
        } else {
            out += "{\"end\":true}\n";
            return true;
        }
        JsonWriter json(out);
        json.open_object();
        json.key("metrics").text(page.text);
        json.close_object();
        out += '\n';
        return false;
    }

  private:
    void write_workers(Page& page, const WorkerFamily& family) {
        page.family(family.name, family.type);
        for (const WorkerTally& tally : tally_.workers)
            page.series("worker=\"" + std::to_string(tally.worker) + "\"", family.value(tally),
                        &series_);
    }
    void write_profiles(Page& page, const ProfileFamily& family) {
        const auto& profiles = tally_.generation->profiles;
        page.family(family.name, "counter");
        for (std::size_t i = 0; i < profiles.size(); i++)
            page.series(labels_of(*profiles[i]), family.value(tally_.profiles[i].counts), &series_);
    }
    void write_instances(Page& page, const InstanceFamily& family) {
        const auto& profiles = tally_.generation->profiles;
        page.family(family.name, "counter");
        for (std::size_t i = 0; i < profiles.size(); i++) {
            const auto& counts = tally_.profiles[i].instances;
            const auto& instances = profiles[i]->instances;
            for (std::size_t n = 0; n < std::min(counts.size(), instances.size()); n++)
                page.series(labels_of(*profiles[i]) + ",instance=\"" + escaped(instances[n].name) +
                                "\"",
                            counts[n].*family.value, &series_);
        }
    }

    Tally tally_;
    std::size_t family_ = 0, series_ = 0;
};

} // namespace

control::Command metrics_command(const Subject& subject) {
    return {
        "metrics",
        control::Access::read,
        {},
        [&subject](const control::Request&, control::Refusal*) -> std::unique_ptr<control::Answer> {
            return std::make_unique<WalkAnswer>(subject.workers,
                                                std::make_shared<MetricsWalk>(subject));
        }};
}

} // namespace nfqws2::app
