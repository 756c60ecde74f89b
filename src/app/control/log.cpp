// "log": messages as they come, and debug text on and off.
#include "commands.hpp"
#include "log_keeper.hpp"

#include "nfqws2/base/json.hpp"

namespace nfqws2::app {
namespace {

using control::Answer;

constexpr std::size_t lines_per_piece = 256;

std::string_view name_of(log::Listener::Level level) {
    switch (level) {
    case log::Listener::Level::debug:
        return "debug";
    case log::Listener::Level::error:
        return "error";
    case log::Listener::Level::status:
        break;
    }
    return "status";
}

class LogAnswer final : public Answer {
  public:
    LogAnswer(LogKeeper& keeper, const Bell& bell, bool debug) : ear_(keeper, bell, debug) {}

    Next write(std::string& out) override {
        const auto lines = ear_.take(lines_per_piece, &lost_);
        for (const LogKeeper::Line& line : lines) {
            JsonWriter json(out);
            json.open_object();
            json.key("log").open_object();
            json.key("level").text(name_of(line.level));
            json.key("text").text(line.text);
            json.close_object();
            json.close_object();
            out += '\n';
        }
        count_ += lines.size();
        return lines.size() == lines_per_piece ? Next::more : Next::later;
    }
    bool endless() const override { return true; }
    void close(std::string& out) override {
        JsonWriter json(out);
        json.open_object();
        json.key("end").boolean(true);
        json.key("count").number(count_);
        json.key("lost").number(lost_);
        json.close_object();
        out += '\n';
    }

  private:
    LogKeeper::Ear ear_;
    std::uint64_t count_ = 0, lost_ = 0;
};

std::unique_ptr<Answer> switch_log(bool debug) {
    log::set_debug(debug);
    std::string line;
    JsonWriter json(line);
    json.open_object();
    json.key("level").text(debug ? "debug" : "normal");
    json.key("end").boolean(true);
    json.close_object();
    return std::make_unique<control::ReadyAnswer>(line + '\n');
}

} // namespace

control::Command log_command(const Subject& subject) {
    using control::Kind;
    return {"log",
            control::Access::all,
            {{"to", Kind::text}, {"level", Kind::text}},
            [&subject](const control::Request& request,
                       control::Refusal* refusal) -> std::unique_ptr<Answer> {
                const std::string* to = request.text("to");
                const std::string* level = request.text("level");
                *refusal = {"bad-field", "'level' is 'debug' or 'normal'"};
                if (level != nullptr && *level != "debug" && *level != "normal") return nullptr;
                const bool debug = level != nullptr && *level == "debug";
                if (to != nullptr && *to == "log") {
                    if (level != nullptr) return switch_log(debug);
                    refusal->text = "'level' is missing";
                    return nullptr;
                }
                refusal->text = "'to' is 'client' or 'log'";
                if (to != nullptr && *to != "client") return nullptr;
                return std::make_unique<LogAnswer>(subject.log, subject.workers[0].bell, debug);
            }};
}

} // namespace nfqws2::app
