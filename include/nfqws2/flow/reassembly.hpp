// The buffer in which a ClientHello (TCP) or the CRYPTO plaintexts (QUIC) of one flow are joined
// (spec part 03 section 6.1). Sequence arithmetic is modulo 2^32.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <cstdint>
#include <vector>

namespace nfqws2::flow {

inline constexpr std::size_t max_message = 16384;

class Reassembly {
  public:
    enum class Kind : std::uint8_t { tls_client_hello, quic_initial };

    Reassembly(Kind kind, std::size_t target_size, std::uint32_t first_seq);

    // Takes (seq, data): new data overwrites old, bytes before the start and behind the target size
    // are ignored. Data behind a gap is kept for the time when the gap closes (part 03 weakness 4).
    // False: gap too large, too far back, or too many gaps: the reassembly has failed.
    bool feed(std::uint32_t seq, Bytes data);
    bool append(Bytes data); // UDP; false if the target size would be exceeded

    Kind kind() const { return kind_; }
    bool complete() const { return present_ >= target_; }
    std::size_t present() const { return present_; } // contiguous bytes from the start
    std::size_t target() const { return target_; }
    Bytes data() const { return Bytes(buffer_).first(present_); }

  private:
    struct Span {
        std::size_t from, to;
    };
    void store(std::size_t offset, Bytes data);
    bool note(Span span);

    Kind kind_;
    std::size_t target_;
    std::uint32_t first_seq_;
    std::size_t present_ = 0;
    std::vector<std::uint8_t> buffer_; // never longer than the target
    std::vector<Span> ahead_;          // filled parts behind a gap: sorted, apart, few
};

} // namespace nfqws2::flow
