#include "nfqws2/capture/datagram_batch.hpp"

namespace nfqws2::capture {

void DatagramBatch::make() {
    if (buffers_) return;
    buffers_ = std::make_unique_for_overwrite<std::uint8_t[]>(most * datagram_size);
    for (std::size_t i = 0; i < most; i++) {
        vectors_[i] = {buffers_.get() + i * datagram_size, datagram_size};
        headers_[i].msg_hdr.msg_iov = &vectors_[i];
        headers_[i].msg_hdr.msg_iovlen = 1;
    }
}

} // namespace nfqws2::capture
