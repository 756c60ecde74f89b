#include "nfqws2/control/request.hpp"

#include "nfqws2/base/json.hpp"

#include <algorithm>
#include <charconv>

namespace nfqws2::control {
namespace {

constexpr std::string_view blanks = " \t\r\n";

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

class Parser {
  public:
    Parser(std::string_view text, std::string* error) : rest_(text), error_(error) {}

    std::optional<Request> request();

  private:
    bool fail(const char* why) {
        if (error_->empty()) *error_ = why;
        return false;
    }
    void skip_blanks() {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(blanks), rest_.size()));
    }
    bool take(std::string_view what) {
        if (!rest_.starts_with(what)) return false;
        rest_.remove_prefix(what.size());
        return true;
    }
    // Behind blanks.
    bool take_sign(char sign) {
        skip_blanks();
        return take({&sign, 1});
    }
    bool member(Request& request);
    bool add(Request& request, std::string key, Value value);
    bool text(std::string& text);
    bool escape(std::string& text);
    bool unit(std::uint32_t& code);
    bool number(std::int64_t& number);

    std::string_view rest_;
    std::string* error_;
};

std::optional<Request> Parser::request() {
    Request request;
    if (!take_sign('{')) {
        fail("a request is a JSON object");
        return std::nullopt;
    }
    if (!take_sign('}')) {
        do {
            if (!member(request)) return std::nullopt;
        } while (take_sign(','));
        if (!take_sign('}')) {
            fail("',' or '}' is missing");
            return std::nullopt;
        }
    }
    skip_blanks();
    if (!rest_.empty()) fail("there is more behind the object");
    if (request.command.empty()) fail("there is no \"cmd\"");
    if (!error_->empty()) return std::nullopt;
    return request;
}

bool Parser::member(Request& request) {
    std::string key;
    skip_blanks();
    if (!text(key)) return false;
    if (!take_sign(':')) return fail("':' is missing");
    skip_blanks();
    if (take("null")) return true;
    if (take("true")) return add(request, std::move(key), true);
    if (take("false")) return add(request, std::move(key), false);
    if (rest_.starts_with('"')) {
        std::string value;
        return text(value) && add(request, std::move(key), std::move(value));
    }
    std::int64_t value = 0;
    return number(value) && add(request, std::move(key), value);
}

bool Parser::add(Request& request, std::string key, Value value) {
    if (key == "cmd") {
        const auto* command = std::get_if<std::string>(&value);
        if (command == nullptr || command->empty()) return fail("\"cmd\" is no text");
        if (!request.command.empty()) return fail("there are two \"cmd\"");
        request.command = *command;
        return true;
    }
    if (request.fields.size() == Request::max_fields) return fail("too many fields");
    for (const auto& [known, ignored] : request.fields)
        if (known == key) return fail("a field is there twice");
    request.fields.emplace_back(std::move(key), std::move(value));
    return true;
}

bool Parser::text(std::string& text) {
    if (!take("\"")) return fail("a text in quotes is missing");
    while (!take("\"")) {
        if (rest_.empty()) return fail("a text has no end");
        if (static_cast<unsigned char>(rest_[0]) < 0x20)
            return fail("a control character stands in a text");
        if (rest_[0] == '\\') {
            if (!escape(text)) return false;
            continue;
        }
        text += rest_[0];
        rest_.remove_prefix(1);
    }
    return true;
}

bool Parser::escape(std::string& text) {
    static constexpr std::string_view names = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    rest_.remove_prefix(1);
    const std::size_t which = rest_.empty() ? names.npos : names.find(rest_[0]);
    if (which != names.npos) {
        text += meanings[which];
        rest_.remove_prefix(1);
        return true;
    }
    std::uint32_t code = 0, low = 0;
    if (!unit(code)) return false;
    if (code >= 0xD800 && code < 0xDC00) {
        if (!unit(low) || low < 0xDC00 || low > 0xDFFF) return fail("half of a character");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
        return fail("half of a character");
    }
    if (code == 0) return fail("a NUL character");
    append_utf8(text, code);
    return true;
}

// uXXXX, with a backslash before it if it is the second half.
bool Parser::unit(std::uint32_t& code) {
    constexpr std::size_t digits = 4;
    take("\\");
    if (!take("u") || rest_.size() < digits) return fail("an unknown escape");
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + digits, code, 16);
    if (error != std::errc() || end != rest_.data() + digits) return fail("an unknown escape");
    rest_.remove_prefix(digits);
    return true;
}

bool Parser::number(std::int64_t& number) {
    const char* const end = rest_.data() + rest_.size();
    const auto [stop, error] = std::from_chars(rest_.data(), end, number);
    if (error == std::errc::result_out_of_range) return fail("a number is too large");
    if (error != std::errc()) return fail("a value is no text, number or boolean");
    if (stop != end && (*stop == '.' || *stop == 'e' || *stop == 'E' || is_digit(*stop)))
        return fail("numbers are whole numbers");
    rest_.remove_prefix(static_cast<std::size_t>(stop - rest_.data()));
    return true;
}

} // namespace

std::optional<Request> parse_request(std::string_view line, std::string* error) {
    error->clear();
    return Parser(line, error).request();
}

} // namespace nfqws2::control
