// Connections that are expected of others: announced by the lines of a helper, or by a script.
#pragma once

#include "nfqws2/packet/connection.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace nfqws2::flow::detail {

struct CtExpected {
    packet::CtExpectation wanted;
    packet::CtTuple master;
    packet::CtHelper master_helper;
    std::uint32_t mark = 0; // of the master

    bool matches(const packet::CtTuple& tuple) const;
};

// The times are those of the clock of boot, in seconds.
class CtExpectations {
  public:
    // By a line: takes the place of an older one of the same kind; of too many the oldest goes.
    void announce(const CtExpected& expected, std::int64_t now_s);
    // By a script: 0, EEXIST or ENOSPC.
    int add(const CtExpected& expected, std::int64_t now_s);
    // 0 or ENOENT.
    int remove(const packet::CtTuple& tuple, std::int64_t now_s);
    // What a new connection was expected as. It is over with that, unless it is permanent.
    std::optional<CtExpected> meet(const packet::CtTuple& tuple, std::int64_t now_s);

  private:
    struct Entry {
        CtExpected expected;
        std::int64_t expires_s;
    };
    void forget_old(std::int64_t now_s);
    void push(const CtExpected& expected, std::int64_t now_s);

    std::vector<Entry> entries_;
};

} // namespace nfqws2::flow::detail
