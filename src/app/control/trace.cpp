// "trace": what happens to the packets of some flows, live. The watcher belongs to all workers and
// to the answer; it goes when each has let go of it.
#include "commands.hpp"
#include "flow_filter.hpp"

#include "nfqws2/base/json.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/engine/flow_watcher.hpp"

#include <algorithm>
#include <deque>
#include <mutex>

namespace nfqws2::app {
namespace {

using control::Answer;

constexpr std::size_t most_waiting = 4 * 1024 * 1024; // bytes of lines for a slow client
constexpr std::size_t lines_per_piece = 64;
constexpr std::int64_t default_packets = 1000, default_seconds = 60;

class Watcher final : public engine::FlowWatcher {
  public:
    // `bell` rings when there is something to tell. `most`: lines, 0 = no limit.
    Watcher(FlowFilter filter, const Bell& bell, std::uint64_t most)
        : filter_(std::move(filter)), bell_(bell), most_(most) {}

    bool may_want(const packet::Dissect& packet) const override {
        return filter_.may_admit(packet);
    }
    // A name that is not known yet may turn out to be the right one.
    bool may_want(const flow::Track* track) const override {
        return track == nullptr || !track->has_hostname() ||
               !filter_.refuses_host(track->hostname());
    }
    void take(const flow::Track* track, std::string_view lines) override;

    // At most so many lines. True: there will be no more.
    bool give(std::size_t most, std::vector<std::string>* lines);
    std::uint64_t lost() const {
        const std::lock_guard guard(mutex_);
        return lost_;
    }

  private:
    void add(std::string_view line);

    const FlowFilter filter_;
    const Bell& bell_;
    const std::uint64_t most_;
    mutable std::mutex mutex_;
    std::deque<std::string> waiting_;
    std::size_t bytes_ = 0;
    std::uint64_t taken_ = 0, lost_ = 0;
};

void Watcher::take(const flow::Track* track, std::string_view lines) {
    if (track != nullptr ? !filter_.admits(*track) : filter_.asks_flow()) return;
    const std::lock_guard guard(mutex_);
    for (const std::string_view line : split(lines, '\n'))
        if (!line.empty()) add(line);
}

void Watcher::add(std::string_view line) {
    if (most_ != 0 && taken_ == most_) return;
    if (bytes_ + line.size() > most_waiting) {
        lost_++;
        return;
    }
    if (waiting_.empty()) bell_.ring();
    taken_++;
    bytes_ += line.size();
    waiting_.emplace_back(line);
}

bool Watcher::give(std::size_t most, std::vector<std::string>* lines) {
    const std::lock_guard guard(mutex_);
    for (; !waiting_.empty() && lines->size() < most; waiting_.pop_front()) {
        bytes_ -= waiting_.front().size();
        lines->push_back(std::move(waiting_.front()));
    }
    return waiting_.empty() && most_ != 0 && taken_ == most_;
}

class TraceAnswer final : public Answer {
  public:
    TraceAnswer(const Subject& subject, std::shared_ptr<Watcher> watcher, std::int64_t seconds)
        : subject_(subject), watcher_(std::move(watcher)),
          end_ms_(seconds != 0 ? now_ms() + seconds * 1000 : INT64_MAX) {
        subject_.tracing = true;
        tell_workers([watcher = watcher_](Worker& worker) { worker.engine.watch(*watcher); });
    }
    ~TraceAnswer() override {
        subject_.tracing = false;
        tell_workers([watcher = watcher_](Worker& worker) { worker.engine.unwatch(*watcher); });
    }
    TraceAnswer(const TraceAnswer&) = delete;
    TraceAnswer& operator=(const TraceAnswer&) = delete;

    Next write(std::string& out) override {
        std::vector<std::string> lines;
        const bool all = watcher_->give(lines_per_piece, &lines);
        for (const std::string& line : lines)
            out += "{\"trace\":" + line + "}\n";
        count_ += lines.size();
        if (all || now_ms() >= end_ms_) {
            close(out);
            return Next::end;
        }
        return lines.size() == lines_per_piece ? Next::more : Next::later;
    }
    bool endless() const override { return true; }
    void close(std::string& out) override {
        JsonWriter json(out);
        json.open_object();
        json.key("end").boolean(true);
        json.key("count").number(count_);
        json.key("lost").number(watcher_->lost());
        json.close_object();
        out += '\n';
    }
    int wait_ms() const override {
        if (end_ms_ == INT64_MAX) return -1;
        return static_cast<int>(std::max<std::int64_t>(end_ms_ - now_ms(), 0));
    }

  private:
    std::int64_t now_ms() const { return subject_.workers.shared().clock.boot_ms(); }
    void tell_workers(const Errands::Errand& errand) const {
        errand(subject_.workers[0]);
        for (std::size_t i = 1; i < subject_.workers.size(); i++) {
            subject_.workers[i].errands.add(errand);
            subject_.workers[i].bell.ring();
        }
    }

    const Subject& subject_;
    std::shared_ptr<Watcher> watcher_;
    std::int64_t end_ms_;
    std::uint64_t count_ = 0;
};

std::int64_t value_or(const std::int64_t* value, std::int64_t otherwise) {
    return value != nullptr ? *value : otherwise;
}

} // namespace

control::Command trace_command(const Subject& subject) {
    auto fields = FlowFilter::fields();
    std::erase_if(fields, [](const control::Field& field) {
        return field.name == std::string_view("state") || field.name == std::string_view("held");
    });
    fields.push_back({"packets", control::Kind::number, 0, INT32_MAX});
    fields.push_back({"seconds", control::Kind::number, 0, 86400});
    return {"trace", control::Access::all, std::move(fields),
            [&subject](const control::Request& request,
                       control::Refusal* refusal) -> std::unique_ptr<Answer> {
                FlowFilter filter;
                if (!filter.read(request, subject.workers.shared().profiles, refusal))
                    return nullptr;
                *refusal = {"busy", "another client traces"};
                if (subject.tracing) return nullptr;
                *refusal = {"failed", "the program runs with --trace, which sees everything"};
                if (!subject.config.trace_file.empty()) return nullptr;
                const auto most = static_cast<std::uint64_t>(
                    value_or(request.number("packets"), default_packets));
                return std::make_unique<TraceAnswer>(
                    subject,
                    std::make_shared<Watcher>(std::move(filter), subject.workers[0].bell, most),
                    value_or(request.number("seconds"), default_seconds));
            }};
}

} // namespace nfqws2::app
