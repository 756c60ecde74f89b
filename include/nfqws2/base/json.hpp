// Writing JSON by hand: straight into a string, no tree of values. The caller keeps the order of
// calls right (a key before each value inside of an object); commas come by themselves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nfqws2 {

// A character as UTF-8.
void append_utf8(std::string& text, std::uint32_t character);

class JsonWriter {
  public:
    explicit JsonWriter(std::string& out) : out_(out) {}

    void open_object() { open('{'); }
    void close_object() { close('}'); }
    void open_array() { open('['); }
    void close_array() { close(']'); }

    // Name of the next value.
    JsonWriter& key(std::string_view name);

    // Bytes of unknown origin: what is not valid UTF-8 becomes \u00XX, byte by byte.
    void text(std::string_view value);
    void text_or_null(std::string_view value); // null if empty
    void number(std::uint64_t value);
    void boolean(bool value);
    void null();
    // Text that is JSON already, e.g. the elements of an array. Nothing if empty.
    void raw(std::string_view json);

  private:
    void open(char bracket);
    void close(char bracket);
    void separate();

    std::string& out_;
    bool comma_ = false; // before what comes next
};

} // namespace nfqws2
