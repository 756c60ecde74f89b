// Configuration of a queue as messages of netlink, into a buffer of `queue_message_size` bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>

struct nlattr;
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

// What the kernel calls a packet it hands over.
inline constexpr std::uint16_t packet_message = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET;
// Bytes of the buffer a queue sends from: the largest datagram of verdicts.
inline constexpr int verdict_buffer = 256 * 1024;
// 0 without the attribute.
std::uint32_t u32_of(const nlattr* attribute);

} // namespace nfqws2::capture
