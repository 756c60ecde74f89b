// Port, ICMP and IP protocol filters with their value grammars (spec part 01 section 4.5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace nfqws2::profile {

class PortFilter {
  public:
    // Appends the items of a comma list; false (nothing appended) if malformed.
    bool add(std::string_view list);
    void add_nothing(); // "match nothing" default of an empty group beside a non-empty one
    bool empty() const { return items_.empty(); }
    bool matches(std::uint16_t port) const; // true when empty; port 0 matches no item
    void append(const PortFilter& other);

  private:
    struct Item {
        std::uint16_t from, to;
        bool negate;
    };
    bool matches_items(std::uint16_t port) const;
    void index(); // long lists are looked up in a bitmap

    std::vector<Item> items_;
    std::vector<std::uint64_t> bitmap_; // 65536 bits, empty for short lists
};

class IcmpFilter {
  public:
    bool add(std::string_view list);
    void add_nothing();
    bool empty() const { return items_.empty(); }
    bool matches(std::uint8_t type, std::uint8_t code) const;
    void append(const IcmpFilter& other);

  private:
    enum class Kind : std::uint8_t { any, none, type, type_code };
    struct Item {
        Kind kind;
        std::uint8_t type, code;
    };
    std::vector<Item> items_;
};

class ProtocolFilter {
  public:
    bool add(std::string_view list);
    void add_nothing();
    bool empty() const { return items_.empty(); }
    bool matches(std::uint8_t protocol) const;
    void append(const ProtocolFilter& other);

  private:
    enum class Kind : std::uint8_t { any, none, number };
    struct Item {
        Kind kind;
        std::uint8_t number;
    };
    std::vector<Item> items_;
};

} // namespace nfqws2::profile
