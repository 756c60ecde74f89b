// Requests to the kernel's connection tracking by a netlink socket. Netlink works at once: the
// answer is there when send() returns, so nothing here waits.
#pragma once

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/capture/ct_requests.hpp"

#include <array>
#include <memory>

struct nlmsghdr;

namespace nfqws2::capture {

class CtNetlink final : public CtRequests {
  public:
    // 0, or the errno of why requests cannot be made.
    int open();

    std::optional<Answer> get(const packet::CtTuple& tuple, std::uint16_t zone,
                              int* error) override;
    int update(const packet::CtTuple& orig, std::uint16_t zone,
               const packet::CtChanges& changes) override;
    int expect(const packet::CtTuple& master, const packet::CtExpectation& wanted) override;
    // The connection of a tuple in either direction ends: 0 or an errno, ENOENT if there is none.
    int remove(const packet::CtTuple& tuple, std::uint16_t zone);

  private:
    static constexpr std::size_t answer_size = 4096;

    nlmsghdr* begin(std::uint16_t type, std::uint16_t flags, const packet::CtTuple& tuple);
    // Sends what was begun; 0 or an errno. `answer` gets the attributes of a message of a
    // connection.
    int request(nlmsghdr* message, Bytes* answer);

    FileDescriptor socket_;
    std::uint32_t sequence_ = 0;
    std::unique_ptr<std::uint8_t[]> buffer_; // of answers
    alignas(8) std::array<char, 1024> message_{};
    log::RateLimit failure_log_{60'000};
};

// Whether the kernel adds connections to queued packets: 0, or the errno with which it refuses.
// Needs no queue.
int ct_of_queue_refused();

} // namespace nfqws2::capture
