// Asking the kernel's connection tracking, and changing what it has. Never waits.
#pragma once

#include "nfqws2/packet/connection.hpp"

#include <cstdint>
#include <optional>

namespace nfqws2::capture {

class CtRequests {
  public:
    virtual ~CtRequests() = default;
    // The connection of a tuple in either direction, and in which of them. Nothing: *error is
    // ENOENT, EAGAIN if there was no answer at once, or another errno.
    struct Answer {
        packet::Connection connection;
        bool reply = false; // the tuple is that of the reply
    };
    virtual std::optional<Answer> get(const packet::CtTuple& tuple, std::uint16_t zone,
                                      int* error) = 0;
    // 0 or an errno.
    virtual int update(const packet::CtTuple& orig, std::uint16_t zone,
                       const packet::CtChanges& changes) = 0;
    virtual int expect(const packet::CtTuple& master, const packet::CtExpectation& wanted) = 0;
};

} // namespace nfqws2::capture
