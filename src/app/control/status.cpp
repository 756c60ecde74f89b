// "status": what the daemon is and how it fares.
#include "commands.hpp"
#include "desk.hpp"
#include "log_keeper.hpp"
#include "walk.hpp"

#include "nfqws2/base/json.hpp"
#include "nfqws2/base/text.hpp"
#include "reload/reloader.hpp"
#include "version.hpp"

#include <unistd.h>

namespace nfqws2::app {
namespace {

std::uint64_t positive(std::int64_t number) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(number, 0));
}

std::optional<std::uint64_t> resident_bytes() {
    const ReadResult file = read_file("/proc/self/statm");
    const auto words = split(as_text(file.data), ' ');
    const auto pages = words.size() > 1 ? parse_uint(words[1]) : std::nullopt;
    if (!pages) return std::nullopt;
    return *pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

void write_memory(JsonWriter& json, const MemoryBudget& memory) {
    using Part = MemoryBudget::Part;
    static constexpr std::pair<const char*, Part> parts[] = {
        {"flows", Part::flows}, {"held", Part::held},     {"messages", Part::messages},
        {"lua", Part::lua},     {"sends", Part::sends},   {"lists", Part::lists},
        {"blobs", Part::blobs}, {"stores", Part::stores}, {"rules", Part::rules}};
    json.key("memory").open_object();
    json.key("rss");
    const auto rss = resident_bytes();
    rss ? json.number(*rss) : json.null();
    json.key("limit").number(memory.limit());
    for (const auto& [name, part] : parts)
        json.key(name).number(memory.share(part));
    json.close_object();
}

const char* name_of(sandbox::Mode mode) {
    switch (mode) {
    case sandbox::Mode::off:
        return "off";
    case sandbox::Mode::report:
        return "report";
    case sandbox::Mode::enforce:
        break;
    }
    return "enforce";
}

void write_features(JsonWriter& json, const Config& config, const StartFacts& start) {
    json.key("features").open_object();
    json.key("gso").boolean(config.gso && config.trace_file.empty());
    json.key("conntrack").boolean(!config.engine.ctrack_disable);
    json.key("offload_mark").boolean(config.offload_mark != 0);
    json.key("landlock").number(static_cast<std::uint64_t>(start.landlock));
    json.key("seccomp").boolean(start.seccomp);
    json.key("sandbox").text(name_of(config.sandbox));
    json.close_object();
}

void write_profiles(JsonWriter& json, const profile::ProfileSet& profiles) {
    json.key("profiles").open_array();
    for (const auto& profile : profiles.all()) {
        json.open_object();
        json.key("n").number(profile->number);
        json.key("name").text_or_null(profile->profile_name);
        json.key("instances").number(profile->instances.size());
        json.close_object();
    }
    json.close_array();
}

void write_message(JsonWriter& json, const LogKeeper::Message& message) {
    json.open_object();
    json.key("at").number(positive(message.unix_s));
    json.key("text").text(message.text);
    json.close_object();
}

void write_messages(JsonWriter& json, const LogKeeper& keeper) {
    const auto messages = keeper.messages();
    json.key("errors").number(keeper.errors());
    json.key("last_error");
    messages.empty() ? json.null() : write_message(json, messages.back());
    json.key("messages").open_array();
    for (const LogKeeper::Message& message : messages)
        write_message(json, message);
    json.close_array();
}

void write_history(JsonWriter& json, const Reloader::History& history) {
    json.key("reloads").open_object();
    json.key("done").number(history.done);
    json.key("failed").number(history.failed);
    json.key("last_at");
    history.last_unix_s != 0 ? json.number(positive(history.last_unix_s)) : json.null();
    json.key("last_error").text_or_null(history.last_error);
    json.close_object();
}

void write_process(JsonWriter& json, const Subject& subject) {
    const Config& config = subject.config;
    const StartFacts& start = subject.start;
    const std::int64_t up_ms = subject.workers.shared().clock.boot_ms() - start.boot_ms;
    json.key("version").text(version_text());
    json.key("pid").number(static_cast<std::uint64_t>(getpid()));
    json.key("started_at").number(positive(start.unix_s));
    json.key("uptime_s").number(positive(up_ms / 1000));
    json.key("user").open_object();
    json.key("uid").number(geteuid());
    json.key("gid").number(getegid());
    json.close_object();
    json.key("control").text(start.control);
    json.key("config").text_or_null(start.config);
    json.key("options").text(options_text(subject.reloader.arguments()));
    write_history(json, subject.reloader.history());
    json.key("workers").number(subject.workers.size());
    json.key("queues").open_array();
    for (unsigned i = 0; config.intercept && i < subject.workers.size(); i++)
        json.number(config.qnum.value_or(0) + i);
    json.close_array();
}

// The workers are asked for what they keep.
class StatusWalk final : public Walk {
  public:
    explicit StatusWalk(const Subject& subject) : subject_(subject) {}

    bool piece(Worker& worker, std::string&) override {
        flows_ += worker.engine.flows();
        held_ += worker.engine.held();
        return true;
    }
    bool finish(std::string& out) override {
        JsonWriter json(out);
        json.open_object();
        json.key("status").open_object();
        write_process(json, subject_);
        write_features(json, subject_.config, subject_.start);
        write_profiles(json, subject_.workers.shared().profiles);
        write_memory(json, subject_.workers.shared().memory);
        json.key("flows").number(flows_);
        json.key("held").number(held_);
        json.key("lists").number(subject_.lists.count());
        write_messages(json, subject_.log);
        json.close_object();
        json.close_object();
        out += "\n{\"end\":true}\n";
        return true;
    }

  private:
    const Subject& subject_;
    std::uint64_t flows_ = 0, held_ = 0;
};

} // namespace

control::Command status_command(const Subject& subject) {
    return {
        "status",
        control::Access::read,
        {},
        [&subject](const control::Request&, control::Refusal*) -> std::unique_ptr<control::Answer> {
            return std::make_unique<WalkAnswer>(subject.workers,
                                                std::make_shared<StatusWalk>(subject));
        }};
}

} // namespace nfqws2::app
