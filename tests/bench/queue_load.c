// Load for the queue benches. Every client ends after a given time or count and prints one line of
// JSON; the servers run until they are ended.
//
//   udp-flood ADDRESS PORT SECONDS FLOWS SIZE   SIZE bytes of payload, from FLOWS source ports
//   spoofed udp|syn ADDRESS PORT SECONDS SOURCES   one packet after the other from so many
//   addresses
//                                            of 10.0.0.0/8; 64 bytes of payload, or SYN
//   udp-flows ADDRESS COUNT PORTS            a datagram of 64 bytes to each of so many ports of so
//   many
//                                            addresses, from ADDRESS and port 10000 on
//   udp-ping ADDRESS PORT COUNT              round trips, one at a time
//   tcp-bulk ADDRESS PORT SECONDS CONNECTIONS
//   http ADDRESS PORT SECONDS CONCURRENT     short connections, one request each
//   udp-sink PORT | udp-echo PORT | tcp-sink PORT | http-server PORT
//
// A flood is slowed down by its own send buffers: a packet counts against them until it has left
// the queue, so the program under test is busy all the time and yet loses nothing.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    datagram = 64,
    largest_datagram = 1472,
    max_samples = 1 << 20,
    max_events = 256,
    http_timeout_s = 3
};

static _Noreturn void die(const char* what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct sockaddr_in address_of(const char* text, const char* port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    if (inet_pton(AF_INET, text, &a.sin_addr) != 1) die(text);
    return a;
}

static int open_socket(int type) {
    const int fd = socket(AF_INET, type, type == SOCK_RAW ? IPPROTO_RAW : 0);
    if (fd < 0) die("socket");
    return fd;
}

static int open_client(int type, const struct sockaddr_in* to) {
    const int fd = open_socket(type);
    if (connect(fd, (const struct sockaddr*)to, sizeof *to) < 0 && errno != EINPROGRESS)
        die("connect");
    return fd;
}

static int open_server(int type, const char* port) {
    const struct sockaddr_in a = address_of("0.0.0.0", port);
    const int fd = open_socket(type), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr*)&a, sizeof a) < 0) die("bind");
    if ((type & SOCK_STREAM) != 0 && listen(fd, 4096) < 0) die("listen");
    return fd;
}

// --- samples

struct samples {
    double* values; // microseconds
    size_t count;
};

static struct samples new_samples(void) {
    struct samples s = {malloc(max_samples * sizeof(double)), 0};
    if (s.values == NULL) die("memory");
    return s;
}

static void add_sample(struct samples* s, double seconds) {
    if (s->count < max_samples) s->values[s->count++] = seconds * 1e6;
}

static int by_value(const void* a, const void* b) {
    const double x = *(const double*)a, y = *(const double*)b;
    return (x > y) - (x < y);
}

static void print_samples(struct samples* s) {
    qsort(s->values, s->count, sizeof(double), by_value);
    const double none = 0;
    const double* v = s->count != 0 ? s->values : &none;
    const size_t last = s->count != 0 ? s->count - 1 : 0;
    printf(", \"median_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f", v[last / 2],
           v[last * 99 / 100], v[last]);
}

// --- UDP

static int udp_flood(char** args) {
    const struct sockaddr_in to = address_of(args[0], args[1]);
    const double seconds = atof(args[2]);
    const int flows = atoi(args[3]);
    const size_t size = (size_t)atoi(args[4]);
    static char payload[largest_datagram];
    if (size > sizeof payload) die("size");
    int* sockets = calloc((size_t)flows, sizeof(int));
    if (sockets == NULL) die("memory");
    // Together the sockets may keep some hundred packets on the way.
    const int buffer = flows > 1 ? 4096 : 128 * 1024;
    for (int i = 0; i < flows; i++) {
        sockets[i] = open_client(SOCK_DGRAM, &to);
        setsockopt(sockets[i], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    }
    memset(payload, '.', sizeof payload);
    uint64_t sent = 0, failed = 0;
    const double start = now();
    double elapsed = 0;
    for (int i = 0; elapsed < seconds; i = (i + 1) % flows) {
        if (send(sockets[i], payload, size, 0) > 0)
            sent++;
        else
            failed++;
        if ((sent + failed) % 64 == 0) elapsed = now() - start;
    }
    printf("{\"count\": %llu, \"failed\": %llu, \"seconds\": %.4f}\n", (unsigned long long)sent,
           (unsigned long long)failed, elapsed);
    return 0;
}

// --- addresses that are not ours

static uint32_t sum_of_words(const void* data, size_t size, uint32_t sum) {
    const uint8_t* p = data;
    for (size_t i = 0; i + 1 < size; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    return sum;
}

static uint16_t folded(uint32_t sum) {
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

struct spoofed_syn {
    struct iphdr ip;
    struct tcphdr tcp;
};

struct spoofed_datagram {
    struct iphdr ip;
    struct udphdr udp;
    char payload[datagram];
};

// The kernel fills in the checksum of IPv4.
static struct iphdr spoofed_header(const struct sockaddr_in* to, size_t size, uint8_t protocol) {
    return (struct iphdr){.version = 4,
                          .ihl = 5,
                          .ttl = 64,
                          .protocol = protocol,
                          .tot_len = htons((uint16_t)size),
                          .daddr = to->sin_addr.s_addr};
}

static void sum_syn(struct spoofed_syn* syn) {
    syn->tcp.check = 0;
    const uint32_t pseudo = sum_of_words(&syn->ip.saddr, 8, IPPROTO_TCP + sizeof syn->tcp);
    syn->tcp.check = folded(sum_of_words(&syn->tcp, sizeof syn->tcp, pseudo));
}

static int spoofed(char** args) {
    const bool is_syn = strcmp(args[0], "syn") == 0;
    const struct sockaddr_in to = address_of(args[1], args[2]);
    const double seconds = atof(args[3]);
    const uint64_t sources = (uint64_t)atoll(args[4]),
                   step = 7919; // a prime: neighbours do not follow
    const int fd = open_socket(SOCK_RAW), buffer = 128 * 1024, on = 1;
    setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    struct spoofed_syn syn = {.ip = spoofed_header(&to, sizeof syn, IPPROTO_TCP)};
    syn.tcp = (struct tcphdr){
        .source = htons(40000), .dest = to.sin_port, .doff = 5, .syn = 1, .window = htons(64240)};
    struct spoofed_datagram udp = {.ip = spoofed_header(&to, sizeof udp, IPPROTO_UDP)};
    udp.udp = (struct udphdr){
        .source = htons(40000), .dest = to.sin_port, .len = htons(sizeof udp - sizeof udp.ip)};
    const void* packet = is_syn ? (void*)&syn : (void*)&udp;
    const size_t size = is_syn ? sizeof syn : sizeof udp;
    uint64_t sent = 0, failed = 0;
    const double start = now();
    double elapsed = 0;
    for (uint64_t i = 0; elapsed < seconds; i++) {
        syn.ip.saddr = udp.ip.saddr = htonl(0x0a000001u + (uint32_t)(i * step % sources));
        syn.tcp.seq = htonl((uint32_t)i);
        if (is_syn) sum_syn(&syn);
        if (sendto(fd, packet, size, 0, (const struct sockaddr*)&to, sizeof to) > 0)
            sent++;
        else
            failed++;
        if (i % 64 == 0) elapsed = now() - start;
    }
    printf("{\"count\": %llu, \"failed\": %llu, \"seconds\": %.4f}\n", (unsigned long long)sent,
           (unsigned long long)failed, elapsed);
    return 0;
}

static int udp_flows(char** args) {
    struct sockaddr_in to = address_of(args[0], "0");
    const uint32_t first = ntohl(to.sin_addr.s_addr);
    const int addresses = atoi(args[1]), ports = atoi(args[2]), buffer = 256 * 1024;
    const int fd = open_socket(SOCK_DGRAM);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    char payload[datagram];
    memset(payload, '.', sizeof payload);
    uint64_t failed = 0;
    const double start = now();
    for (int port = 0; port < ports; port++) {
        to.sin_port = htons((uint16_t)(10000 + port));
        for (int i = 0; i < addresses; i++) {
            to.sin_addr.s_addr = htonl(first + (uint32_t)i);
            if (sendto(fd, payload, sizeof payload, 0, (struct sockaddr*)&to, sizeof to) < 0)
                failed++;
        }
    }
    printf("{\"count\": %d, \"failed\": %llu, \"seconds\": %.4f}\n", addresses * ports,
           (unsigned long long)failed, now() - start);
    return 0;
}

static int udp_ping(char** args) {
    const struct sockaddr_in to = address_of(args[0], args[1]);
    const unsigned count = (unsigned)atoi(args[2]);
    const int fd = open_client(SOCK_DGRAM, &to);
    const struct timeval patience = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    struct samples times = new_samples();
    unsigned lost = 0;
    const double start = now();
    for (unsigned i = 0; i < count; i++) {
        unsigned char out[datagram] = {0}, in[datagram];
        memcpy(out, &i, sizeof i);
        const double sent = now();
        ssize_t got = send(fd, out, sizeof out, 0);
        do {
            if (got > 0) got = recv(fd, in, sizeof in, 0);
        } while (got > 0 && memcmp(in, out, sizeof i) != 0);
        if (got > 0)
            add_sample(&times, now() - sent);
        else
            lost++;
        usleep(200); // everybody sleeps between two trips, as on an idle line
    }
    printf("{\"count\": %zu, \"failed\": %u, \"seconds\": %.4f", times.count, lost, now() - start);
    print_samples(&times);
    puts("}");
    return 0;
}

static int udp_server(const char* port, bool echo) {
    const int fd = open_server(SOCK_DGRAM, port), buffer = 4 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    char bytes[2048];
    for (;;) {
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        const ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr*)&from, &size);
        if (got < 0 && errno != EINTR) die("recvfrom");
        if (got >= 0 && echo) sendto(fd, bytes, (size_t)got, 0, (struct sockaddr*)&from, size);
    }
}

// --- TCP

static void watch(int poller, int operation, int fd, uint32_t events, void* data) {
    struct epoll_event e = {.events = events, .data.ptr = data};
    if (epoll_ctl(poller, operation, fd, &e) < 0) die("epoll_ctl");
}

static int tcp_bulk(char** args) {
    const struct sockaddr_in to = address_of(args[0], args[1]);
    const double seconds = atof(args[2]);
    const int connections = atoi(args[3]), poller = epoll_create1(0);
    static char bytes[1 << 16];
    for (int i = 0; i < connections; i++) {
        const int fd = open_client(SOCK_STREAM | SOCK_NONBLOCK, &to);
        watch(poller, EPOLL_CTL_ADD, fd, EPOLLOUT, (void*)(intptr_t)fd);
    }
    uint64_t total = 0;
    const double start = now();
    double elapsed = 0;
    while (elapsed < seconds) {
        struct epoll_event events[max_events];
        const int count = epoll_wait(poller, events, max_events, 100);
        for (int i = 0; i < count; i++) {
            const ssize_t sent =
                send((int)(intptr_t)events[i].data.ptr, bytes, sizeof bytes, MSG_NOSIGNAL);
            if (sent > 0) total += (uint64_t)sent;
            if (sent < 0 && errno != EAGAIN) die("send");
        }
        elapsed = now() - start;
    }
    printf("{\"bytes\": %llu, \"seconds\": %.4f}\n", (unsigned long long)total, elapsed);
    return 0;
}

static int tcp_sink(const char* port) {
    const int server = open_server(SOCK_STREAM, port), poller = epoll_create1(0);
    watch(poller, EPOLL_CTL_ADD, server, EPOLLIN, (void*)(intptr_t)server);
    static char bytes[1 << 18];
    for (;;) {
        struct epoll_event events[max_events];
        const int count = epoll_wait(poller, events, max_events, -1);
        for (int i = 0; i < count; i++) {
            const int fd = (int)(intptr_t)events[i].data.ptr;
            if (fd == server) {
                const int peer = accept4(server, NULL, NULL, SOCK_NONBLOCK);
                if (peer >= 0) watch(poller, EPOLL_CTL_ADD, peer, EPOLLIN, (void*)(intptr_t)peer);
                continue;
            }
            const ssize_t got = recv(fd, bytes, sizeof bytes, 0);
            if (got == 0 || (got < 0 && errno != EAGAIN)) close(fd);
        }
    }
}

// --- HTTP

static const char request[] = "GET / HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: bench\r\n"
                              "Accept: */*\r\nConnection: close\r\n\r\n";
static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n"
                            "Connection: close\r\n\r\nhello\n";

struct exchange {
    int fd;
    bool asked;
    size_t received;
    double start;
};

static void begin_exchange(struct exchange* x, int poller, const struct sockaddr_in* to) {
    *x = (struct exchange){.fd = open_client(SOCK_STREAM | SOCK_NONBLOCK, to), .start = now()};
    watch(poller, EPOLL_CTL_ADD, x->fd, EPOLLOUT, x);
}

enum progress { goes_on, succeeded, broken };

static enum progress continue_exchange(struct exchange* x, int poller) {
    if (!x->asked) {
        const size_t size = sizeof request - 1;
        if (send(x->fd, request, size, MSG_NOSIGNAL) != (ssize_t)size) return broken;
        x->asked = true;
        watch(poller, EPOLL_CTL_MOD, x->fd, EPOLLIN, x);
        return goes_on;
    }
    char bytes[4096];
    const ssize_t got = recv(x->fd, bytes, sizeof bytes, 0);
    if (got < 0) return errno == EAGAIN ? goes_on : broken;
    x->received += (size_t)got;
    if (got > 0) return goes_on;
    return x->received == sizeof reply - 1 ? succeeded : broken;
}

static int http(char** args) {
    const struct sockaddr_in to = address_of(args[0], args[1]);
    const double seconds = atof(args[2]);
    const int concurrent = atoi(args[3]), poller = epoll_create1(0);
    struct exchange* all = calloc((size_t)concurrent, sizeof *all);
    if (all == NULL) die("memory");
    struct samples times = new_samples();
    uint64_t good = 0, failed = 0, late = 0;
    for (int i = 0; i < concurrent; i++)
        begin_exchange(&all[i], poller, &to);
    const double start = now();
    double t = start, next_look = start + 1;
    while (t - start < seconds) {
        struct epoll_event events[max_events];
        const int count = epoll_wait(poller, events, max_events, 100);
        for (int i = 0; i < count; i++) {
            struct exchange* x = events[i].data.ptr;
            const enum progress result = continue_exchange(x, poller);
            if (result == goes_on) continue;
            if (result == succeeded) {
                good++;
                add_sample(&times, now() - x->start);
            } else {
                failed++;
            }
            close(x->fd);
            begin_exchange(x, poller, &to);
        }
        t = now();
        if (t < next_look) continue;
        next_look = t + 1;
        for (int i = 0; i < concurrent; i++) {
            if (t - all[i].start < http_timeout_s) continue;
            late++;
            close(all[i].fd);
            begin_exchange(&all[i], poller, &to);
        }
    }
    printf("{\"count\": %llu, \"failed\": %llu, \"seconds\": %.4f", (unsigned long long)good,
           (unsigned long long)(failed + late), t - start);
    print_samples(&times);
    puts("}");
    return 0;
}

// Answers when the request's last bytes are there, in however many segments it came.
static bool request_ends(int fd) {
    char bytes[4096];
    const ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got < 0) return errno != EAGAIN;
    return got == 0 || (got >= 4 && memcmp(bytes + got - 4, "\r\n\r\n", 4) == 0);
}

static int http_server(const char* port) {
    const int server = open_server(SOCK_STREAM | SOCK_NONBLOCK, port), poller = epoll_create1(0);
    watch(poller, EPOLL_CTL_ADD, server, EPOLLIN, (void*)(intptr_t)server);
    for (;;) {
        struct epoll_event events[max_events];
        const int count = epoll_wait(poller, events, max_events, -1);
        for (int i = 0; i < count; i++) {
            const int fd = (int)(intptr_t)events[i].data.ptr;
            if (fd == server) {
                for (int peer; (peer = accept4(server, NULL, NULL, SOCK_NONBLOCK)) >= 0;)
                    watch(poller, EPOLL_CTL_ADD, peer, EPOLLIN, (void*)(intptr_t)peer);
            } else if (request_ends(fd)) {
                send(fd, reply, sizeof reply - 1, MSG_NOSIGNAL);
                close(fd);
            }
        }
    }
}

int main(int argc, char** argv) {
    signal(SIGPIPE, SIG_IGN);
    const char* what = argc > 2 ? argv[1] : "";
    if (argc == 7 && strcmp(what, "udp-flood") == 0) return udp_flood(argv + 2);
    if (argc == 7 && strcmp(what, "spoofed") == 0) return spoofed(argv + 2);
    if (argc == 5 && strcmp(what, "udp-flows") == 0) return udp_flows(argv + 2);
    if (argc == 5 && strcmp(what, "udp-ping") == 0) return udp_ping(argv + 2);
    if (argc == 6 && strcmp(what, "tcp-bulk") == 0) return tcp_bulk(argv + 2);
    if (argc == 6 && strcmp(what, "http") == 0) return http(argv + 2);
    if (argc == 3 && strcmp(what, "udp-sink") == 0) return udp_server(argv[2], false);
    if (argc == 3 && strcmp(what, "udp-echo") == 0) return udp_server(argv[2], true);
    if (argc == 3 && strcmp(what, "tcp-sink") == 0) return tcp_sink(argv[2]);
    if (argc == 3 && strcmp(what, "http-server") == 0) return http_server(argv[2]);
    fprintf(stderr, "see the top of queue_load.c\n");
    return 2;
}
