// Configuration of a queue as messages of netlink, into a buffer of `queue_message_size` bytes.
#pragma once

#include <cstddef>
#include <cstdint>

struct nlmsghdr;

namespace nfqws2::capture {

inline constexpr std::size_t queue_message_size = 256;
// Binding, unbinding (NFQNL_CFG_CMD_*).
nlmsghdr* queue_command(char* buffer, std::uint16_t queue, std::uint16_t family,
                        std::uint8_t command);

struct QueueParameters {
    std::uint8_t copy_mode = 0; // NFQNL_COPY_*
    std::uint16_t range = 0;
    std::uint32_t length = 0;
    std::uint32_t flags = 0; // NFQA_CFG_F_*; 0: none is asked for
};
nlmsghdr* queue_parameters(char* buffer, std::uint16_t queue, const QueueParameters& wanted);

// SO_RCVBUF and the like, beyond the limit of the system where that is allowed.
void set_buffer_size(int fd, int forced_option, int option, int size);

} // namespace nfqws2::capture
