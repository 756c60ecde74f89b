// The text of the compiled builder, put together by the compiler out of its template
// (builder.lua.hpp) and the description of the fields (facts.hpp).
#pragma once

#include "table/builder.lua.hpp"
#include "table/facts.hpp"

#include <array>
#include <cstddef>
#include <string_view>

namespace nfqws2::lua {

// Writes text; without a place to write to it only counts.
class TextWriter {
  public:
    constexpr explicit TextWriter(char* to = nullptr) : to_(to) {}
    constexpr std::size_t size() const { return size_; }

    constexpr void add(std::string_view text) {
        for (const char c : text) {
            if (to_ != nullptr) to_[size_] = c;
            size_++;
        }
    }
    // With `value` for every % in the text.
    constexpr void add(std::string_view text, std::string_view value) {
        for (const char c : text)
            add(c == '%' ? value : std::string_view(&c, 1));
    }

  private:
    char* to_;
    std::size_t size_ = 0;
};

// What the type `Source` writes: once to count, once for good.
template <typename Source> struct Written {
    static constexpr std::size_t size = [] {
        TextWriter count;
        Source::write(count);
        return count.size();
    }();
    static constexpr std::array<char, size> text = [] {
        std::array<char, size> to{};
        TextWriter writer(to.data());
        Source::write(writer);
        return to;
    }();
};
template <typename Source>
inline constexpr std::string_view text_of(Written<Source>::text.data(), Written<Source>::size);

// struct track{uint32_t exists; ...};
template <typename Structure> constexpr void write_structure(TextWriter& out) {
    out.add(Structure::c_type);
    out.add("{");
    Structure::each([&](const char* name, auto member) {
        out.add(kind_of<decltype(member)>::c_type);
        out.add(" ");
        out.add(name);
        out.add(";");
    });
    out.add("};\n");
}

// incoming_ttl=unless_0(f.incoming_ttl), ...
template <typename Structure> constexpr void write_fields(TextWriter& out) {
    Structure::each([&](const char* name, auto member) {
        using Kind = kind_of<decltype(member)>;
        if (!is_shown<Kind>) return;
        out.add(name);
        out.add("=");
        out.add(Kind::lua, name);
        out.add(",");
    });
}

// All structures for the FFI, each after those that it has inside.
template <typename List> struct Declarations;
template <typename... Structure> struct Declarations<Structures<Structure...>> {
    static constexpr void write(TextWriter& out) { (write_structure<Structure>(out), ...); }
};

// The template with $structures and, for the name of a structure, its fields. Indentation and
// comments do not go into the program.
template <typename List> struct Builder;
template <typename... Structure> struct Builder<Structures<Structure...>> {
    static constexpr void write(TextWriter& out) {
        std::string_view rest = builder_template;
        while (!rest.empty()) {
            const std::string_view line = rest.substr(0, rest.find('\n') + 1);
            rest.remove_prefix(line.size());
            const std::string_view text = line.substr(line.find_first_not_of('\t'));
            if (!text.starts_with("--")) write_line(out, text);
        }
    }

  private:
    static constexpr void write_line(TextWriter& out, std::string_view line) {
        const std::size_t at = line.find('$');
        out.add(line.substr(0, at));
        if (at == line.npos) return;
        const std::string_view rest = line.substr(at + 1);
        const std::string_view word = rest.substr(0, rest.find_first_of(" \n"));
        put(out, word);
        out.add(rest.substr(word.size()));
    }
    static constexpr void put(TextWriter& out, std::string_view word) {
        if (word == "structures")
            Declarations<Structures<Structure...>>::write(out);
        else if (!((word == name_of<Structure> && (write_fields<Structure>(out), true)) || ...))
            throw "no such structure"; // which the compiler tells
    }
};

inline constexpr std::string_view declarations = text_of<Declarations<AllStructures>>;
inline constexpr std::string_view builder_source = text_of<Builder<AllStructures>>;

} // namespace nfqws2::lua
