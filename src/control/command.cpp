#include "nfqws2/control/command.hpp"

#include "nfqws2/base/json.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <string_view>

namespace nfqws2::control {
namespace {

constexpr std::size_t longest_shown = 64; // of what a client has sent

// The names come from the table, which is short.
template <typename Rows> std::string near_word(std::string_view word, const Rows& rows) {
    std::vector<std::string_view> names;
    names.reserve(rows.size());
    for (const auto& row : rows)
        names.emplace_back(row.name);
    const std::string_view best = nearest(word.substr(0, longest_shown), names);
    return best.empty() ? std::string() : "; did you mean '" + std::string(best) + "'?";
}

std::string shown(std::string_view word) {
    return "'" + std::string(word.substr(0, longest_shown)) + "'";
}

// "" if it is as it should be.
std::string flaw_of(const Field& field, const Value& value) {
    const bool text = std::holds_alternative<std::string>(value);
    const auto* number = std::get_if<std::int64_t>(&value);
    switch (field.kind) {
    case Kind::text:
        return text ? "" : "is a text";
    case Kind::flag:
        return std::holds_alternative<bool>(value) ? "" : "is true or false";
    case Kind::text_or_number:
        if (text) return "";
        if (number == nullptr) return "is a text or a number";
        break;
    case Kind::number:
        if (number == nullptr) return "is a number";
        break;
    }
    if (*number >= field.least && *number <= field.most) return "";
    return format("is between %lld and %lld", static_cast<long long>(field.least),
                  static_cast<long long>(field.most));
}

bool fields_fit(const Command& command, const Request& request, Refusal* refusal) {
    refusal->code = "bad-field";
    for (const auto& [name, value] : request.fields) {
        const std::string& key = name;
        const auto row = std::find_if(command.fields.begin(), command.fields.end(),
                                      [&key](const Field& field) { return key == field.name; });
        if (row == command.fields.end()) {
            refusal->text = "unknown field " + shown(name) + " of command '" + command.name + "'" +
                            near_word(name, command.fields);
            return false;
        }
        const std::string flaw = flaw_of(*row, value);
        if (flaw.empty()) continue;
        refusal->text = std::string("field '") + row->name + "' " + flaw;
        return false;
    }
    return true;
}

} // namespace

std::string error_line(const Refusal& refusal) {
    std::string line;
    JsonWriter json(line);
    json.open_object();
    json.key("error").text(refusal.text);
    json.key("code").text(refusal.code);
    json.key("end").boolean(true);
    json.close_object();
    return line + '\n';
}

const Command* find_command(const std::vector<Command>& commands, const Request& request,
                            Refusal* refusal) {
    const auto row = std::find_if(commands.begin(), commands.end(), [&request](const Command& c) {
        return request.command == c.name;
    });
    if (row == commands.end()) {
        *refusal = {"unknown-command", "unknown command " + shown(request.command) +
                                           near_word(request.command, commands)};
        return nullptr;
    }
    if (request.access < row->access) {
        *refusal = {"forbidden", std::string("'") + row->name + "' is not for this user"};
        return nullptr;
    }
    return fields_fit(*row, request, refusal) ? &*row : nullptr;
}

} // namespace nfqws2::control
