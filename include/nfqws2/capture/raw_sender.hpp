// Sends packets of our own making through one raw socket per family, header included, see
// docs/contracts/wire.md#raw-sending. Mark and device of a socket are set only when they change.
#pragma once

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/capture/packet_io.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <sys/socket.h>

namespace nfqws2::capture {

class RawSender final : public PacketSender {
  public:
    struct Options {
        bool bind_fix4 = false, bind_fix6 = false;
    };
    explicit RawSender(Options options) : options_(options) {}

    // Prints the status line and makes both sockets. False: logged; a system without IPv6 is fine.
    bool open();
    // Called before every send, to let earlier verdicts go first.
    void set_before_send(std::function<void()> action) { before_send_ = std::move(action); }

    bool send(const OutputPacket& packet) override;

  private:
    struct Socket {
        int family;
        FileDescriptor fd{};
        std::optional<std::uint32_t> mark{};
        std::optional<std::string> device{};
    };

    int create(Socket& s); // 0 or errno, logged
    bool prepare(Socket& s, const OutputPacket& packet, bool bind_to_device);
    bool set_mark(Socket& s, std::uint32_t mark);
    bool set_device(Socket& s, std::string_view device);
    bool send_once(Socket& s, const OutputPacket& packet, bool bind_to_device);
    void report(log::RateLimit& limit, const std::string& what, int error);

    Options options_;
    std::function<void()> before_send_;
    Socket v4_{AF_INET}, v6_{AF_INET6};
    log::RateLimit create_log_{1000}, mark_log_{1000}, device_log_{1000}, send_log_{1000};
};

} // namespace nfqws2::capture
