// The only source that knows the TOML library: its headers are heavy.
#include "nfqws2/rules/document.hpp"

#if NFQWS2_HAVE_TOML
#include "toml_depth.hpp"

#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0 // neither they nor streams for numbers, which are large
#define TOML_FLOAT_CHARCONV 1
#include <toml++/toml.h>
#endif

namespace nfqws2::rules {

const char* kind_name(Node::Kind kind) {
    switch (kind) {
    case Node::Kind::table:
        return "a table";
    case Node::Kind::array:
        return "an array";
    case Node::Kind::text:
        return "text";
    case Node::Kind::integer:
        return "a number";
    case Node::Kind::boolean:
        return "true or false";
    case Node::Kind::other:
        break;
    }
    return "a value of another kind";
}

#if NFQWS2_HAVE_TOML

bool can_parse() {
    return true;
}

namespace {

Place place_of(const toml::source_region& region, std::uint16_t file) {
    return {file, region.begin.line, region.begin.column};
}

// As deep as a text may nest.
Node convert(const toml::node& from, std::uint16_t file) {
    Node to;
    to.at = place_of(from.source(), file);
    if (const toml::table* table = from.as_table()) {
        to.kind = Node::Kind::table;
        to.members.reserve(table->size());
        for (const auto& [key, value] : *table)
            to.members.push_back(
                {std::string(key.str()), place_of(key.source(), file), convert(value, file)});
    } else if (const toml::array* array = from.as_array()) {
        to.kind = Node::Kind::array;
        to.items.reserve(array->size());
        for (const toml::node& item : *array)
            to.items.push_back(convert(item, file));
    } else if (const auto* text = from.as_string()) {
        to.kind = Node::Kind::text;
        to.text = text->get();
    } else if (const auto* number = from.as_integer()) {
        to.kind = Node::Kind::integer;
        to.integer = number->get();
    } else if (const auto* boolean = from.as_boolean()) {
        to.kind = Node::Kind::boolean;
        to.integer = boolean->get() ? 1 : 0;
    } else {
        to.kind = Node::Kind::other;
    }
    return to;
}

} // namespace

bool parse_toml(std::string_view text, std::uint16_t file, Node& root, SyntaxError& error) {
    if (const auto at = too_deep(text)) {
        error = {{file, at->line, at->column},
                 "tables are nested too deep: " + std::to_string(most_nested) + " levels at most"};
        return false;
    }
    try {
        root = convert(toml::parse(text), file);
        return true;
    } catch (const toml::parse_error& e) {
        error = {place_of(e.source(), file), std::string(e.description())};
        return false;
    }
}

#else

bool can_parse() {
    return false;
}

bool parse_toml(std::string_view, std::uint16_t file, Node&, SyntaxError& error) {
    error = {{file, 1, 1}, "not part of this build"};
    return false;
}

#endif

} // namespace nfqws2::rules
