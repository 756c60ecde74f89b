// A request: one flat JSON object (docs/control.md#lines). A parser of its own, since nesting,
// fractions and documents of any size are exactly what a request does not have: it is shorter than
// what would be needed to hold a library to that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nfqws2::control {

// Who asks. Root may also hand over code.
enum class Access : std::uint8_t { none, read, all, root };

using Value = std::variant<std::string, std::int64_t, bool>;

struct Request {
    static constexpr std::size_t max_size = 64 * 1024;
    static constexpr std::size_t max_fields = 32;

    std::string command;
    std::vector<std::pair<std::string, Value>>
        fields; // without the command, and those that are null
    Access access = Access::none;

    // Their kind was checked before (Command::fields).
    const std::string* text(std::string_view name) const { return find<std::string>(name); }
    const std::int64_t* number(std::string_view name) const { return find<std::int64_t>(name); }
    bool flag(std::string_view name) const {
        const bool* value = find<bool>(name);
        return value != nullptr && *value;
    }

  private:
    template <typename T> const T* find(std::string_view name) const {
        for (const auto& [key, value] : fields)
            if (key == name) return std::get_if<T>(&value);
        return nullptr;
    }
};

// Nothing and *error for what is no such object.
std::optional<Request> parse_request(std::string_view line, std::string* error);

} // namespace nfqws2::control
