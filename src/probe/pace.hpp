// How many connections at the same time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nfqws2::probe {

// Fewer when connections are refused because there are too many, and soon more again. Whether that
// is the reason shows when those that were not connected are asked again with half as many at once:
// if some of them connect, it was. If none does, it lies in the strategies, and that is believed
// sooner the next time; but it is not believed yet of what was refused at once, if these are few,
// or a few of them do connect.
class Pace {
  public:
    Pace(std::uint32_t most, std::uint32_t limit, std::uint32_t trust);

    std::uint32_t now() const { return round_ != 0 ? round_ : limit_; }
    std::uint32_t limit() const { return limit_; }
    std::uint32_t trust() const { return trust_; }

    // Is it worth to ask those again that were not connected?
    bool doubts() const { return trust_ > 0 && now() > 1; }
    // So many of some that ran at the same time were not connected. True: ask for no others before
    // these were asked again. Where this machine does not keep up with them there will be fewer.
    bool note(std::size_t all, std::size_t unconnected, bool kept_up);

    // A round of questions asked again, and its end. True: another one with what is left. One that
    // leaves it tells nothing about connections.
    void begin_round(std::size_t all);
    void leave_round() { asked_ -= round_ != 0 && asked_ > 0 ? 1 : 0; }
    bool end_round(std::size_t left, std::size_t refused);

  private:
    std::uint32_t most_;
    std::uint32_t limit_;
    std::uint32_t trust_;
    std::uint32_t round_ = 0; // limit of the round; 0: there is none
    std::size_t asked_ = 0;   // in the round
    bool crowded_ = false;    // so many were not connected that there may be too many at once
};

constexpr std::uint32_t most_trust = 3;

} // namespace nfqws2::probe
