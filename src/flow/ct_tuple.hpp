#pragma once

#include "nfqws2/packet/connection.hpp"

namespace nfqws2::flow::detail {

bool is_echo_request(const packet::CtTuple& tuple);
bool is_echo_answer(const packet::CtTuple& tuple);

} // namespace nfqws2::flow::detail
