// Requests of the control socket. What was read holds what it promises, and reads the same when it
// is written again.
#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/json.hpp"
#include "nfqws2/control/command.hpp"

#include <cstdlib>
#include <string>

namespace {

using namespace nfqws2;
using control::Access;
using control::Kind;

void require(bool condition) {
    if (!condition) std::abort();
}

std::string written(const control::Request& request) {
    std::string line;
    JsonWriter json(line);
    json.open_object();
    json.key("cmd").text(request.command);
    for (const auto& [name, value] : request.fields) {
        json.key(name);
        if (const auto* text = std::get_if<std::string>(&value))
            json.text(*text);
        else if (const auto* number = std::get_if<std::int64_t>(&value))
            json.raw(std::to_string(*number));
        else
            json.boolean(std::get<bool>(value));
    }
    json.close_object();
    return line;
}

bool is_ascii(std::string_view text) {
    for (const char c : text)
        if (static_cast<unsigned char>(c) >= 0x80) return false;
    return true;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::vector<control::Command> commands = {
        {"flows", Access::read, {{"port", Kind::number, 0, 65535}, {"host", Kind::text}}, {}},
        {"stop", Access::all, {{"held", Kind::flag}, {"who", Kind::text_or_number, 0, 9}}, {}}};
    const std::string_view line = as_text(Bytes(data, size));
    std::string error;
    const auto request = control::parse_request(line, &error);
    require(request.has_value() == error.empty());
    if (!request) return 0;
    require(!request->command.empty() && request->fields.size() <= control::Request::max_fields);
    control::Refusal refusal;
    if (control::find_command(commands, *request, &refusal) == nullptr)
        require(!refusal.text.empty() && control::error_line(refusal).ends_with("}\n"));
    // What is no UTF-8 would be written as other characters.
    if (!is_ascii(line)) return 0;
    const auto again = control::parse_request(written(*request), &error);
    require(again && again->command == request->command && again->fields == request->fields);
    return 0;
}
