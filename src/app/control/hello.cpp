// "hello" and "stop", and the line that ends an answer.
#include "commands.hpp"

#include "nfqws2/base/json.hpp"
#include "version.hpp"

#include <unistd.h>

namespace nfqws2::app {

using control::Access;
using control::Answer;

std::uint64_t limit_of(const control::Request& request) {
    constexpr std::int64_t usual = 1000;
    const std::int64_t* given = request.number("limit");
    return static_cast<std::uint64_t>(given != nullptr ? *given : usual);
}

std::string end_line(std::uint64_t count, std::optional<bool> more) {
    std::string line;
    JsonWriter json(line);
    json.open_object();
    json.key("end").boolean(true);
    json.key("count").number(count);
    if (more) json.key("more").boolean(*more);
    json.close_object();
    return line + '\n';
}

control::Command hello_command(std::vector<std::pair<std::string, Access>> commands) {
    return {"hello",
            Access::read,
            {},
            [commands = std::move(commands)](const control::Request& request,
                                             control::Refusal*) -> std::unique_ptr<Answer> {
                constexpr unsigned protocol = 1;
                const bool all = request.access >= Access::all;
                std::string line;
                JsonWriter json(line);
                json.open_object();
                json.key("protocol").number(protocol);
                json.key("version").text(version_text());
                json.key("pid").number(static_cast<std::uint64_t>(getpid()));
                json.key("access").text(all ? "all" : "read");
                json.key("commands").open_array();
                for (const auto& [name, access] : commands)
                    if (access <= request.access) json.text(name);
                json.close_array();
                json.key("end").boolean(true);
                json.close_object();
                return std::make_unique<control::ReadyAnswer>(line + '\n');
            }};
}

// The answer goes out in the same turn, before the loop looks whether it shall end.
control::Command stop_command(const Subject& subject) {
    return {"stop",
            Access::all,
            {},
            [&subject](const control::Request&, control::Refusal*) -> std::unique_ptr<Answer> {
                subject.workers.signals().quit_as_term();
                return std::make_unique<control::ReadyAnswer>("{\"stopping\":true,\"end\":true}\n");
            }};
}

} // namespace nfqws2::app
