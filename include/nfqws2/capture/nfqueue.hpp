// The kernel's packet queue: packets in batches to a handler, verdicts in batches back.
#pragma once

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/capture/datagram_batch.hpp"
#include "nfqws2/capture/interface_names.hpp"
#include "nfqws2/capture/packet_io.hpp"
#include "nfqws2/capture/verdict_batch.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <sys/socket.h>

struct nlmsghdr;

namespace nfqws2::capture {

struct QueueCounters {
    std::uint64_t packets = 0, batches = 0;
    std::uint64_t verdict_messages = 0; // netlink datagrams sent
    std::uint64_t overruns = 0;         // ENOBUFS: the kernel lost messages to us
    std::uint64_t malformed = 0;        // messages without a usable packet header
    std::uint64_t refused = 0;          // verdicts the kernel answered with an error
    std::uint64_t lost_verdicts = 0;    // datagrams that could not be sent
};

class NfQueue {
  public:
    struct Options {
        std::uint16_t number = 0;
        std::uint32_t length = 4096;                // packets the kernel holds for us
        std::uint32_t receive_buffer = 1024 * 1024; // bytes
        // Large packets come as they are (InputPacket::merged) and may be answered with `split`.
        bool take_merged = false;
        std::uint32_t offload_mark = 0; // see VerdictBatch
        bool connections = false;       // packets come with their connection, if the kernel can
        // The socket's port, which /proc/net/netfilter/nfnetlink_queue shows, is the process id:
        // programs find the owner of a queue by it. One socket of a process can have it.
        bool port_is_process_id = false;
    };
    enum class Received : std::uint8_t {
        packets, // a batch was handled, all its verdicts are sent
        nothing, // no packet, a signal, or a counted overrun: call again
        broken,  // the socket is unusable (logged); close() and open() again, or give up
    };

    NfQueue();
    ~NfQueue();
    NfQueue(const NfQueue&) = delete;
    NfQueue& operator=(const NfQueue&) = delete;

    // Binds the queue, printing status lines before each step. False: the reason was logged.
    // Without room for a second queue or an old kernel merged packets are not taken.
    bool open(const Options& options);
    // Accepts what is still queued, unbinds, prints the closing status lines.
    void close();
    int fd() const { return socket_.get(); }

    // One system call for up to 32 packets. With `may_block` it waits for the first one.
    Received receive(PacketHandler& handler, bool may_block);
    // Sends the verdicts held back. A raw sender calls this before it sends, so that packets leave
    // in the order in which they were decided.
    void flush();

    const QueueCounters& counters() const { return counters_; }
    // Packets since open() that the kernel could not give us because our receive buffer was full;
    // they passed unprocessed (fail-open). Also reported by itself, at most every ten seconds.
    // nullopt if the kernel does not tell.
    std::optional<std::uint64_t> kernel_drops() const;
    std::size_t verdict_memory() const { return verdicts_.memory(); } // what waits to be sent

  private:
    void begin(const Options& options);
    void open_pieces();
    bool open_socket();
    bool bind_socket(int fd) const;
    void set_buffers();
    bool bind_protocol_family(std::uint16_t family, const char* name, bool must);
    bool bind_queue();
    bool configure();
    int request_binding();
    int request_parameters(std::uint32_t flags);
    // Sends one configuration message and waits for the kernel's answer: 0 or an errno.
    int request(nlmsghdr* message);
    int await_answer(std::uint32_t sequence);

    Received receive_failed(int error);
    void handle_datagram(Bytes datagram, PacketHandler* handler);
    void handle_packet(const nlmsghdr* message, PacketHandler* handler);
    void answer(const InputPacket& packet, PacketHandler& handler);
    void handle_pieces(PacketHandler& handler);
    void add_verdict(std::uint32_t id, std::uint32_t mark, const Verdict& verdict);
    bool send_verdicts(Bytes messages);
    void report_losses();

    Options options_;
    FileDescriptor socket_;
    std::uint32_t port_id_ = 0, sequence_ = 0, last_id_ = 0;
    VerdictBatch verdicts_{{}};
    InterfaceNames interfaces_;
    QueueCounters counters_;
    std::uint64_t reported_drops_ = 0;
    std::int64_t next_loss_report_s_ = 0;
    log::RateLimit overrun_log_{1000}, verdict_log_{1000}, message_log_{1000};

    std::unique_ptr<NfQueue> pieces_; // the second queue, if merged packets are taken
    bool pieces_broken_ = false;

    DatagramBatch datagrams_;
};

} // namespace nfqws2::capture
