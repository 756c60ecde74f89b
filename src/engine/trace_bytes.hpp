// What a trace says of the bytes that a packet carries: where the host name is readable, and which
// of them are not those of the message at that place. Ladders are drawn from it.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/packet/dissect.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace nfqws2::engine {

struct Passage;

// A part of a payload: [from, to).
struct ByteRange {
    std::int64_t from = 0, to = 0;
    bool operator==(const ByteRange&) const = default;
};

// The message that a packet is a part of, and the sequence number of its first byte; for what is
// not TCP the number is 0.
struct Message {
    Bytes data;
    std::uint32_t seq = 0;
};
Message message_of(const Passage& p);
std::uint32_t number_of_data(const packet::Dissect& d); // its first byte's; a SYN counts as one

// Where `host`, in lower case, stands in the data in any case.
std::optional<ByteRange> find_host(Bytes data, std::string_view host);

// The smallest range of a payload sent with number `seq` outside of which every byte is the
// message's own at its place; nullopt if all are.
std::optional<ByteRange> foreign_bytes(const Message& message, Bytes payload, std::uint32_t seq);

} // namespace nfqws2::engine
