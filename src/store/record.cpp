// Theory of operation: in a file what could be taken for a part of the form (control characters,
// blanks, % and =) is written as %XX, and so is the first byte of a text that reads as a number,
// which keeps it a text. Everything else, names in UTF-8 too, stays readable.
//
// Packed, a field is the length of its name, the name, and 'n' with eight bytes of a double or 't'
// with a length and a text. All lengths fit a byte.
#include "nfqws2/store/record.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

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

void append_value(std::string& out, const FieldView& field) {
    if (field.is_number) {
        out += shortest_number(field.number);
        return;
    }
    std::string_view text = field.text;
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

std::vector<FieldView> views_of(const Fields& fields) {
    std::vector<FieldView> views;
    views.reserve(fields.size());
    for (const auto& [name, value] : fields) {
        if (const double* number = std::get_if<double>(&value))
            views.push_back({name, {}, *number, true});
        else
            views.push_back({name, std::get<std::string>(value), 0, false});
    }
    return views;
}

const char* why_bad_fields(std::span<const FieldView> fields) {
    if (fields.size() > max_fields) return "more than 16 fields";
    for (std::size_t i = 0; i < fields.size(); i++) {
        if (!is_field_name(fields[i].name))
            return "bad name of a field (1 to 32 of A-Z a-z 0-9 _ - .)";
        if (fields[i].text.size() > max_text) return "a value is longer than 255 bytes";
        for (std::size_t j = 0; j < i; j++)
            if (fields[j].name == fields[i].name) return "a field is there twice";
    }
    return nullptr;
}

std::string pack_fields(std::span<FieldView> fields) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < fields.size(); i++) { // a few: no std::sort for this
        for (std::size_t j = i; j > 0 && fields[j].name < fields[j - 1].name; j--)
            std::swap(fields[j], fields[j - 1]);
        size += 2 + sizeof(double) + fields[i].name.size() + fields[i].text.size();
    }
    std::string out;
    out.reserve(size);
    for (const FieldView& field : fields) {
        out += static_cast<char>(field.name.size());
        out += field.name;
        if (field.is_number) {
            // Files know one only.
            const double number =
                std::isnan(field.number) ? std::numeric_limits<double>::quiet_NaN() : field.number;
            std::array<char, sizeof number> bytes;
            std::memcpy(bytes.data(), &number, sizeof number);
            out += 'n';
            out.append(bytes.data(), bytes.size());
        } else {
            out += 't';
            out += static_cast<char>(field.text.size());
            out += field.text;
        }
    }
    return out;
}

bool PackedFields::next(FieldView& field) {
    const auto take = [this](std::size_t size) {
        const std::string_view part = rest_.substr(0, size);
        rest_.remove_prefix(part.size());
        return part;
    };
    const auto take_length = [&] { return static_cast<unsigned char>(take(1).front()); };
    if (rest_.empty()) return false;
    field = {};
    field.name = take(take_length());
    field.is_number = take(1).front() == 'n';
    if (field.is_number)
        std::memcpy(&field.number, take(sizeof field.number).data(), sizeof field.number);
    else
        field.text = take(take_length());
    return true;
}

Value value_of(const FieldView& field) {
    return field.is_number ? Value(field.number) : Value(std::string(field.text));
}

Fields unpack_fields(std::string_view packed) {
    Fields fields;
    PackedFields walk(packed);
    for (FieldView field; walk.next(field);)
        fields.emplace_back(field.name, value_of(field));
    return fields;
}

std::string to_line(const Record& record) {
    std::string line;
    append_encoded(line, record.key);
    line += '\t' + std::to_string(record.written) + '\t' + std::to_string(record.ttl);
    PackedFields walk(record.fields);
    for (FieldView field; walk.next(field);) {
        line += '\t';
        line.append(field.name) += '=';
        append_value(line, field);
    }
    return line;
}

std::optional<Record> from_line(std::string_view line) {
    auto key = decoded(next_part(line));
    const auto written = parse_uint(next_part(line), INT64_MAX);
    const auto ttl = parse_uint(next_part(line), UINT32_MAX);
    if (!key || why_bad_key(*key) != nullptr || !written || !ttl) return std::nullopt;
    Fields fields;
    while (!line.empty())
        if (!decode_field(next_part(line), fields)) return std::nullopt;
    std::vector<FieldView> views = views_of(fields);
    if (why_bad_fields(views) != nullptr) return std::nullopt;
    return Record{std::move(*key), pack_fields(views), static_cast<std::int64_t>(*written),
                  static_cast<std::uint32_t>(*ttl)};
}

} // namespace nfqws2::store
