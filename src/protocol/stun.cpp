#include "nfqws2/protocol/stun.hpp"

namespace nfqws2::protocol {

bool is_stun(Bytes data) {
    return data.size() >= 20 && (data[0] & 0xC0) == 0 && (data[3] & 3) == 0 &&
           load_be32(data.data() + 4) == 0x2112A442 &&
           load_be16(data.data() + 2) <= data.size() - 20;
}

} // namespace nfqws2::protocol
