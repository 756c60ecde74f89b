// Names of the Wi-Fi networks that interfaces are connected to (--filter-ssid), asked from the
// kernel over nl80211 (docs/contracts/profiles.md#wi-fi-names).
#pragma once

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/capture/wlan_message.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct nlmsghdr;

namespace nfqws2::capture {

class WlanInfo {
  public:
    // False: the kernel cannot be asked, the reason was logged.
    bool open();
    // The same over a socket that is connected to the kernel, which has that long for an answer.
    bool start(FileDescriptor socket, std::int64_t timeout_ms);

    // "" if the interface is not connected or open() was not called. The kernel is asked at most
    // once a second; if it does not answer, what it said before stays in force. Valid until the
    // next call.
    std::string_view ssid(std::string_view interface);

  private:
    static constexpr std::size_t max_interfaces = 16;
    struct Connection {
        std::uint32_t index;
        std::string name, ssid;
    };
    using MessageHandler = std::function<void(Bytes)>;

    bool resolve_family();
    void refresh();
    bool ask_interfaces(std::vector<Connection>& found);
    bool ask_network(Connection& connection);
    // Sends a request and hands over the answers up to the acknowledgment. 0 or an errno.
    int transact(nlmsghdr* request, const MessageHandler& handle);
    int receive(const MessageHandler& handle, bool& done);

    FileDescriptor socket_;
    std::unique_ptr<std::uint8_t[]> buffer_;
    std::uint32_t sequence_ = 0;
    std::uint16_t family_ = 0;
    std::int64_t next_refresh_ms_ = 0;
    std::vector<Connection> connections_;
    log::RateLimit failure_log_{10'000};
};

} // namespace nfqws2::capture
