// Theory of operation: what could be taken for a part of the form (control characters, blanks, %
// and
// =) is written as %XX, and so is the first byte of a text that reads as a number, which keeps it a
// text. Everything else, names in UTF-8 too, stays readable.
#include "nfqws2/store/record.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

namespace nfqws2::store {
namespace {

constexpr std::string_view hex_digits = "0123456789ABCDEF";

bool is_plain(char c) {
    return static_cast<unsigned char>(c) > ' ' && c != '\x7F' && c != '%' && c != '=';
}

void append_escaped(std::string& out, char c) {
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', hex_digits[byte >> 4], hex_digits[byte & 15]};
}

void append_encoded(std::string& out, std::string_view text) {
    for (const char c : text) {
        if (is_plain(c))
            out += c;
        else
            append_escaped(out, c);
    }
}

std::optional<std::string> decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); i++) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const auto byte = from_hex(text.substr(i + 1, 2));
        if (!byte || byte->size() != 1) return std::nullopt;
        out += static_cast<char>(byte->front());
        i += 2;
    }
    return out;
}

// By the C library, as in Lua; the tables of std::from_chars would be a tenth of the program.
std::optional<double> as_number(std::string_view text) {
    constexpr std::string_view blanks = " \t\n\v\f\r";
    if (text.empty() || text.size() > max_text || blanks.find(text[0]) != std::string_view::npos)
        return std::nullopt;
    const std::string terminated(text);
    char* end = nullptr;
    const double number = std::strtod(terminated.c_str(), &end);
    if (end != terminated.c_str() + text.size()) return std::nullopt;
    return number;
}

// The shortest of the forms that read as the same number.
void append_number(std::string& out, double number) {
    std::array<char, 32> digits;
    for (int precision = 15; precision <= 17; precision++) {
        std::snprintf(digits.data(), digits.size(), "%.*g", precision, number);
        if (std::strtod(digits.data(), nullptr) == number) break;
    }
    out += digits.data();
}

void append_value(std::string& out, const Value& value) {
    if (const double* number = std::get_if<double>(&value)) return append_number(out, *number);
    std::string_view text = std::get<std::string>(value);
    if (as_number(text)) {
        append_escaped(out, text.front());
        text.remove_prefix(1);
    }
    append_encoded(out, text);
}

bool is_field_name(std::string_view name) {
    const auto good = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '.';
    };
    return !name.empty() && name.size() <= max_field_name &&
           std::all_of(name.begin(), name.end(), good);
}

// "name=value"
bool decode_field(std::string_view text, Fields& fields) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || !is_field_name(text.substr(0, equals))) return false;
    const std::string_view value = text.substr(equals + 1);
    Value decoded_value;
    if (const auto number = as_number(value)) {
        decoded_value = *number;
    } else if (auto plain = decoded(value)) {
        decoded_value = std::move(*plain);
    } else {
        return false;
    }
    fields.emplace_back(text.substr(0, equals), std::move(decoded_value));
    return true;
}

// The part up to the next tab; what is behind it stays in `rest`.
std::string_view next_part(std::string_view& rest) {
    const std::size_t tab = rest.find('\t');
    const std::string_view part = rest.substr(0, tab);
    rest = tab == std::string_view::npos ? std::string_view() : rest.substr(tab + 1);
    return part;
}

} // namespace

const char* why_bad_key(std::string_view key) {
    if (key.empty()) return "the key is empty";
    return key.size() > max_key ? "the key is longer than 255 bytes" : nullptr;
}

const char* why_bad_fields(const Fields& fields) {
    if (fields.size() > max_fields) return "more than 16 fields";
    for (std::size_t i = 0; i < fields.size(); i++) {
        const auto& [name, value] = fields[i];
        if (!is_field_name(name)) return "bad name of a field (1 to 32 of A-Z a-z 0-9 _ - .)";
        const std::string* text = std::get_if<std::string>(&value);
        if (text != nullptr && text->size() > max_text) return "a value is longer than 255 bytes";
        for (std::size_t j = 0; j < i; j++)
            if (fields[j].first == name) return "a field is there twice";
    }
    return nullptr;
}

std::string encode_fields(Fields fields) {
    for (std::size_t i = 1; i < fields.size(); i++) // a few: no std::sort for this
        for (std::size_t j = i; j > 0 && fields[j].first < fields[j - 1].first; j--)
            std::swap(fields[j], fields[j - 1]);
    std::string out;
    for (const auto& [name, value] : fields) {
        if (!out.empty()) out += '\t';
        out += name + '=';
        append_value(out, value);
    }
    return out;
}

std::optional<Fields> decode_fields(std::string_view text) {
    Fields fields;
    while (!text.empty())
        if (!decode_field(next_part(text), fields)) return std::nullopt;
    if (why_bad_fields(fields) != nullptr) return std::nullopt;
    return fields;
}

std::string to_line(const Record& record) {
    std::string line;
    append_encoded(line, record.key);
    line += '\t' + std::to_string(record.written) + '\t' + std::to_string(record.ttl);
    if (!record.fields.empty()) line += '\t' + record.fields;
    return line;
}

std::optional<Record> from_line(std::string_view line) {
    auto key = decoded(next_part(line));
    const auto written = parse_uint(next_part(line), INT64_MAX);
    const auto ttl = parse_uint(next_part(line), UINT32_MAX);
    if (!key || why_bad_key(*key) != nullptr || !written || !ttl) return std::nullopt;
    auto fields = decode_fields(line);
    if (!fields) return std::nullopt;
    return Record{std::move(*key), encode_fields(std::move(*fields)),
                  static_cast<std::int64_t>(*written), static_cast<std::uint32_t>(*ttl)};
}

} // namespace nfqws2::store
