// Room for what one recvmmsg takes from a queue's socket.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <sys/socket.h>

namespace nfqws2::capture {

class DatagramBatch {
  public:
    static constexpr std::size_t most = 32;
    static constexpr std::size_t datagram_size = 65536 + 4096;

    // The headers point into it.
    DatagramBatch() = default;
    DatagramBatch(const DatagramBatch&) = delete;
    DatagramBatch& operator=(const DatagramBatch&) = delete;

    void make(); // once, before anything else; pages that are never used stay free
    explicit operator bool() const { return static_cast<bool>(buffers_); }
    // How many came; -1: errno.
    int receive(int fd, int flags) { return recvmmsg(fd, headers_.data(), most, flags, nullptr); }
    Bytes operator[](std::size_t i) const {
        return {buffers_.get() + i * datagram_size, headers_[i].msg_len};
    }
    MutBytes first() { return {buffers_.get(), datagram_size}; } // for what comes alone

  private:
    std::unique_ptr<std::uint8_t[]> buffers_;
    std::array<mmsghdr, most> headers_{};
    std::array<iovec, most> vectors_{};
};

} // namespace nfqws2::capture
