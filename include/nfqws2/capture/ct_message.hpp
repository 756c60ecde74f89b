// Connections as attributes of netlink (ctnetlink, NFQA_CT): reading them and writing changes.
// Reading allocates nothing; the bytes must be aligned to four, as the kernel's messages are.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/packet/connection.hpp"

#include <cstdint>
#include <optional>

struct nlmsghdr;

namespace nfqws2::capture {

// False: there is no whole connection in it.
bool parse_connection(Bytes attributes, packet::Connection& out);

// What NFQA_CT_INFO says.
struct CtInfo {
    packet::CtState state = packet::CtState::unknown;
    packet::CtDirection direction = packet::CtDirection::unknown;
};
CtInfo ct_info(std::uint32_t value);

// Of a request about an expectation; nothing if it does not say what is expected. Without a master
// (of one that is to go) that is empty.
struct ExpectationRequest {
    packet::CtTuple master;
    packet::CtExpectation expectation;
};
std::optional<ExpectationRequest> parse_expectation(Bytes attributes);

// The writers append to a message whose buffer has `ct_message_size` bytes or more left.
inline constexpr std::size_t ct_message_size = 768;
// An entry as the kernel tells it; 1,024 bytes hold any.
void put_connection(nlmsghdr* message, const packet::Connection& connection);
void put_tuple(nlmsghdr* message, std::uint16_t type, const packet::CtTuple& tuple);
void put_changes(nlmsghdr* message, const packet::CtChanges& changes, std::uint32_t old_status);
// Of an expectation: the mask says what counts.
void put_expectation(nlmsghdr* message, const packet::CtTuple& master,
                     const packet::CtExpectation& wanted);

} // namespace nfqws2::capture
