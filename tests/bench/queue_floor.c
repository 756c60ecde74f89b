// The floor of the queue benches: takes packets from an NFQUEUE, accepts them and does nothing
// else. Whatever a program costs per packet is told as a ratio to this one
// (docs/contracts/goals.md).
//
//   queue_floor NUMBER [batch=N] [gso] [ct]
//
// batch=N: up to N packets with one system call, their verdicts with one more; 1 is the floor.
// gso: the kernel hands over large TCP packets as they are instead of cutting them first.
// ct: the kernel adds to each packet what it knows of its connection.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    max_batch = 256,
    datagram_size = 65536 + 4096,
    verdict_size = 64, // of one message, rounded up
    receive_buffer = 1024 * 1024,
    queue_length = 4096
};

struct floor {
    struct mnl_socket* socket;
    uint16_t queue;
    size_t used; // bytes of `verdicts`
    char verdicts[max_batch * verdict_size];
    char* datagrams;
};

static void die(const char* what) {
    perror(what);
    exit(1);
}

static struct nlmsghdr* begin_message(char* at, uint16_t type, uint16_t queue) {
    struct nlmsghdr* message = mnl_nlmsg_put_header(at);
    message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | type);
    message->nlmsg_flags = NLM_F_REQUEST;
    struct nfgenmsg* general = mnl_nlmsg_put_extra_header(message, sizeof *general);
    general->nfgen_family = AF_UNSPEC;
    general->version = NFNETLINK_V0;
    general->res_id = htons(queue);
    return message;
}

static void configure(struct floor* f, uint32_t more) {
    char buffer[512];
    struct nlmsghdr* message = begin_message(buffer, NFQNL_MSG_CONFIG, f->queue);
    struct nfqnl_msg_config_cmd bind = {.command = NFQNL_CFG_CMD_BIND};
    mnl_attr_put(message, NFQA_CFG_CMD, sizeof bind, &bind);
    struct nfqnl_msg_config_params copy = {htonl(65535), NFQNL_COPY_PACKET};
    mnl_attr_put(message, NFQA_CFG_PARAMS, sizeof copy, &copy);
    mnl_attr_put_u32(message, NFQA_CFG_QUEUE_MAXLEN, htonl(queue_length));
    const uint32_t flags = NFQA_CFG_F_FAIL_OPEN | more;
    mnl_attr_put_u32(message, NFQA_CFG_FLAGS, htonl(flags));
    mnl_attr_put_u32(message, NFQA_CFG_MASK, htonl(flags));
    if (mnl_socket_sendto(f->socket, message, message->nlmsg_len) < 0) die("configuring the queue");
}

static void open_queue(struct floor* f, uint32_t more) {
    f->socket = mnl_socket_open(NETLINK_NETFILTER);
    if (f->socket == NULL || mnl_socket_bind(f->socket, 0, MNL_SOCKET_AUTOPID) < 0) die("netlink");
    const int fd = mnl_socket_get_fd(f->socket), size = receive_buffer, on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0) die("SO_RCVBUFFORCE");
    if (setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on) < 0) die("NO_ENOBUFS");
    configure(f, more);
}

static int accept_packet(const struct nlmsghdr* message, void* context) {
    struct floor* f = context;
    const struct nlattr* attribute;
    mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg)) {
        if (mnl_attr_get_type(attribute) != NFQA_PACKET_HDR) continue;
        const struct nfqnl_msg_packet_hdr* packet = mnl_attr_get_payload(attribute);
        const struct nfqnl_msg_verdict_hdr accept = {htonl(NF_ACCEPT), packet->packet_id};
        struct nlmsghdr* verdict =
            begin_message(f->verdicts + f->used, NFQNL_MSG_VERDICT, f->queue);
        mnl_attr_put(verdict, NFQA_VERDICT_HDR, sizeof accept, &accept);
        f->used += MNL_ALIGN(verdict->nlmsg_len);
        break;
    }
    return MNL_CB_OK;
}

static void take_datagram(struct floor* f, const char* datagram, size_t size) {
    if (mnl_cb_run(datagram, size, 0, 0, accept_packet, f) < 0 && errno != ENOENT)
        perror("netlink message");
}

// False: nothing came, try again.
static bool take_one(struct floor* f) {
    const ssize_t size = recv(mnl_socket_get_fd(f->socket), f->datagrams, datagram_size, 0);
    if (size < 0) return false;
    take_datagram(f, f->datagrams, (size_t)size);
    return true;
}

static bool take_many(struct floor* f, struct mmsghdr* headers, unsigned batch) {
    const int fd = mnl_socket_get_fd(f->socket);
    const int count = recvmmsg(fd, headers, batch, MSG_WAITFORONE, NULL);
    for (int i = 0; i < count; i++)
        take_datagram(f, headers[i].msg_hdr.msg_iov->iov_base, headers[i].msg_len);
    return count >= 0;
}

static void run(struct floor* f, unsigned batch) {
    struct iovec vectors[max_batch];
    struct mmsghdr headers[max_batch] = {0};
    for (unsigned i = 0; i < batch; i++) {
        vectors[i] = (struct iovec){f->datagrams + (size_t)i * datagram_size, datagram_size};
        headers[i].msg_hdr.msg_iov = &vectors[i];
        headers[i].msg_hdr.msg_iovlen = 1;
    }
    for (;;) {
        f->used = 0;
        const bool taken = batch == 1 ? take_one(f) : take_many(f, headers, batch);
        if (!taken && errno != EINTR && errno != ENOBUFS) die("receiving");
        if (taken && f->used != 0 && mnl_socket_sendto(f->socket, f->verdicts, f->used) < 0)
            perror("verdict");
    }
}

int main(int argc, char** argv) {
    static struct floor f;
    unsigned batch = 1;
    uint32_t more = 0;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "gso") == 0)
            more |= NFQA_CFG_F_GSO;
        else if (strcmp(argv[i], "ct") == 0)
            more |= NFQA_CFG_F_CONNTRACK;
        else if (sscanf(argv[i], "batch=%u", &batch) != 1 || batch < 1 || batch > max_batch)
            argc = 0;
    }
    if (argc < 2) {
        fprintf(stderr, "queue_floor NUMBER [batch=1..%d] [gso] [ct]\n", max_batch);
        return 2;
    }
    f.queue = (uint16_t)atoi(argv[1]);
    f.datagrams = malloc((size_t)batch * datagram_size);
    if (f.datagrams == NULL) die("memory");
    open_queue(&f, more);
    run(&f, batch);
}
