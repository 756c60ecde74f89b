// The bytes of a ClientHello (TCP) or the CRYPTO plaintexts (QUIC) of one flow, joined. Sequence
// arithmetic is modulo 2^32.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace nfqws2::flow {

inline constexpr std::size_t max_message = 16384;

class Reassembly {
  public:
    enum class Kind : std::uint8_t { tls_client_hello, quic_initial };

    Reassembly(Kind kind, std::size_t target_size, std::uint32_t first_seq);

    // What a segment brought.
    struct News {
        std::size_t fresh = 0; // bytes that were not there
        bool copy = false;     // nothing but bytes that were there, with the same values
    };
    // Takes (seq, data): new data overwrites old, bytes before the start and behind the target size
    // are ignored. Data behind a gap is kept for the time when the gap closes. nullopt: gap too
    // large, too far back, or too many gaps: the reassembly has failed.
    std::optional<News> feed(std::uint32_t seq, Bytes data);
    bool append(Bytes data); // UDP; false if the target size would be exceeded

    // The message turned out to end here, at most where it reaches by now.
    void cut(std::size_t size);

    Kind kind() const { return kind_; }
    bool complete() const { return present_.size() >= target_; }
    std::size_t present() const { return present_.size(); } // contiguous bytes from the start
    std::size_t target() const { return target_; }
    std::uint32_t first_seq() const { return first_seq_; }
    Bytes data() const { return present_; }
    bool contains(std::uint32_t seq, Bytes data) const; // contiguous, with these values
    std::size_t memory() const;                         // what it costs

    // QUIC: which connection the frames belong to, and how much of the stream is known.
    std::vector<std::uint8_t> connection;
    std::size_t covered = 0;

  private:
    struct Piece {
        std::size_t offset;
        std::vector<std::uint8_t> data;
        std::size_t end() const { return offset + data.size(); }
    };
    bool store_ahead(std::size_t offset, Bytes data, News& news);
    void close_gap();

    Kind kind_;
    std::size_t target_;
    std::uint32_t first_seq_;
    std::vector<std::uint8_t> present_; // never longer than the target
    std::vector<Piece> ahead_;          // behind a gap: sorted, apart, few
};

} // namespace nfqws2::flow
