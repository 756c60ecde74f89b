// A netlink socket to the kernel's netfilter: requests that are answered at once, or events.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/file.hpp"

#include <cstdint>
#include <memory>

struct nlmsghdr;

namespace nfqws2::capture {

// An unbound netlink socket gets a port that is not the process id, which the queue of the program
// wants for itself. 0 or an errno.
int bind_beside(int fd, std::uint32_t groups);

// Numbers that are returned are 0 or an errno.
class NetfilterSocket {
  public:
    // `groups`: a set of bits, one a group of events.
    int open(std::uint32_t groups);
    void close() { socket_.reset(); }
    int fd() const { return socket_.get(); }
    explicit operator bool() const { return static_cast<bool>(socket_); }

    // Gives it the next sequence number and sends it.
    int send(nlmsghdr* message);
    std::uint32_t sequence() const { return sequence_; }
    // One datagram, which is good until the next call. Never waits: EAGAIN.
    int receive(Bytes* datagram);

  private:
    FileDescriptor socket_;
    std::uint32_t sequence_ = 0;
    std::unique_ptr<std::uint8_t[]> buffer_;
};

} // namespace nfqws2::capture
