#include "queue_messages.hpp"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter/nfnetlink_queue.h>

namespace nfqws2::capture {

nlmsghdr* queue_command(char* buffer, std::uint16_t queue, std::uint16_t family,
                        std::uint8_t command) {
    nlmsghdr* message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, queue);
    nfq_nlmsg_cfg_put_cmd(message, family, command);
    return message;
}

nlmsghdr* queue_parameters(char* buffer, std::uint16_t queue, const QueueParameters& wanted) {
    nlmsghdr* message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, queue);
    nfq_nlmsg_cfg_put_params(message, wanted.copy_mode, wanted.range);
    nfq_nlmsg_cfg_put_qmaxlen(message, wanted.length);
    if (wanted.flags == 0) return message;
    mnl_attr_put_u32(message, NFQA_CFG_MASK, htonl(wanted.flags));
    mnl_attr_put_u32(message, NFQA_CFG_FLAGS, htonl(wanted.flags));
    return message;
}

std::uint32_t u32_of(const nlattr* attribute) {
    return attribute == nullptr ? 0 : ntohl(mnl_attr_get_u32(attribute));
}

} // namespace nfqws2::capture
