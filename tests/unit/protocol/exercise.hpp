// Calls every function of the room that takes bytes from the network, and checks what must hold
// whatever those bytes are.
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::protocol::test {

void exercise(Bytes data);

} // namespace nfqws2::protocol::test
