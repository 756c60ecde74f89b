// Messages of scripts to other programs of this machine, by netlink from user to user
// (docs/nflua.md#netlink).
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/file.hpp"

#include <cstdint>

namespace nfqws2::capture {

struct NetlinkMessage {
    std::uint32_t port = 0, groups = 0; // who gets it: a port, and a mask of groups
    std::uint16_t flags = 0;
    Bytes payload;
};

class MessageSender {
  public:
    virtual ~MessageSender() = default;
    // 0 or an errno; never waits.
    virtual int send(const NetlinkMessage& message) = 0;
};

// Several threads may send.
class NetlinkSender final : public MessageSender {
  public:
    explicit NetlinkSender(int protocol); // EBADF of send(): there is no such socket
    int send(const NetlinkMessage& message) override;

  private:
    FileDescriptor socket_;
};

// Messages that are only traced.
class NoMessages final : public MessageSender {
  public:
    int send(const NetlinkMessage&) override { return 0; }
};

} // namespace nfqws2::capture
