#include "nfqws2/protocol/discord.hpp"

#include <algorithm>

namespace nfqws2::protocol {

bool is_discord_ip_discovery(Bytes data) {
    return data.size() == 74 && load_be32(data.data()) == 0x00010046 &&
           std::ranges::all_of(data.subspan(8, 64), [](std::uint8_t b) { return b == 0; });
}

} // namespace nfqws2::protocol
