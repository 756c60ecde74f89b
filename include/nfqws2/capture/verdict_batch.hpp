// Verdicts waiting to be sent, as netlink messages in one buffer. Neighbouring packets that are
// accepted with the same mark share one message ("everything up to this id"), so that accepting a
// whole batch costs the kernel one message.
#pragma once

#include "nfqws2/capture/packet_io.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace nfqws2::capture {

class VerdictBatch {
  public:
    // What one netlink attribute can carry to the kernel.
    static constexpr std::size_t max_modified = 65531;

    struct Options {
        std::uint16_t queue = 0;
        std::uint16_t pieces_queue = 0; // where packets go that are to be split
        std::uint32_t offload_mark = 0; // added to packets of finished connections; 0 = off
    };
    explicit VerdictBatch(const Options& options);

    // Ids must come in the order the kernel gave them. False: no room, send and clear first. A
    // modified packet that is empty or above max_modified is refused as `accept` with an error.
    bool add(std::uint32_t id, std::uint32_t mark, const Verdict& verdict);
    // Accepts every packet the kernel still holds, whatever its id.
    bool add_accept_all(std::uint32_t last_id);

    bool empty() const { return used_ == 0 && run_length_ == 0; }
    Bytes messages(); // all that was added, complete
    void clear();
    std::size_t memory() const { return buffer_.size(); }

  private:
    bool close_run();
    bool put(int type, std::uint32_t id, std::uint32_t nf_verdict,
             std::optional<std::uint32_t> mark, Bytes packet,
             const packet::CtChanges* ct = nullptr);

    std::vector<std::uint8_t> buffer_;
    std::size_t used_ = 0;
    Options options_;
    // Accepted packets not yet written as a message.
    std::uint32_t run_length_ = 0, run_last_id_ = 0;
    std::optional<std::uint32_t> run_mark_;
};

} // namespace nfqws2::capture
