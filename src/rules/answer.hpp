// The segment that `tcpauth` answers with.
#pragma once

#include "nfqws2/rules/state/tcp_auth.hpp"

#include <vector>

namespace nfqws2::rules {

std::vector<std::uint8_t> build_answer(const AuthAnswer& answer);

} // namespace nfqws2::rules
