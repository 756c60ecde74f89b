// Packet mark, port, ICMP and IP protocol filters with their value grammars.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace nfqws2::profile {

// A decimal or hexadecimal (0x) number of 32 bits, the whole text.
std::optional<std::uint32_t> parse_mark_number(std::string_view text);

// Some bits of the packet's mark. The default accepts every packet.
class MarkFilter {
  public:
    // "MARK" or "MARK/MASK", each decimal or 0xHEX; false (nothing changed) if malformed.
    bool set(std::string_view text);
    bool any() const { return mask_ == 0 && mark_ == 0; }
    bool possible() const { return (mark_ & ~mask_) == 0; } // some mark matches
    bool matches(std::uint32_t mark) const { return (mark & mask_) == mark_; }
    // Whatever `other` accepts this one accepts too.
    bool covers(const MarkFilter& other) const {
        return (mask_ & ~other.mask_) == 0 && (other.mark_ & mask_) == mark_;
    }

  private:
    std::uint32_t mark_ = 0, mask_ = 0;
};

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
