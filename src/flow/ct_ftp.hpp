// The lines of an FTP control connection that announce a data connection.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/ip_address.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace nfqws2::flow::detail {

struct FtpAnnouncement {
    IpAddress address; // empty: that of the server (229)
    std::uint16_t port = 0;
};

// 227 and 229 of the server, PORT and EPRT of the client; `line` without its end.
std::optional<FtpAnnouncement> read_ftp_line(std::string_view line, bool from_server);

// The lines of one direction, out of segments. A line of more than `max_line` bytes is passed over.
class FtpLines {
  public:
    static constexpr std::size_t max_line = 512;
    void feed(std::uint32_t seq, Bytes payload, const std::function<void(std::string_view)>& line);

  private:
    std::string begun_;
    std::uint32_t next_seq_ = 0;
    bool running_ = false; // next_seq_ is known
    bool too_long_ = false;
};

} // namespace nfqws2::flow::detail
