// An answer about what belongs to the workers: each is asked in its own thread, one after the
// other and piece by piece, and the main thread hands on what they have written.
#pragma once

#include "nfqws2/control/command.hpp"
#include "run/workers.hpp"

#include <atomic>
#include <memory>
#include <string>

namespace nfqws2::app {

// What is asked. It outlives the client if a worker is at it then.
class Walk {
  public:
    virtual ~Walk() = default;
    // In the worker's thread, at most about a millisecond of work. True: no more of this worker.
    virtual bool piece(Worker& worker, std::string& out) = 0;
    // In the main thread, when all workers have been asked or enough() is true; at most about a
    // millisecond too. True: that was all.
    virtual bool finish(std::string& out) = 0;
    virtual bool enough() const { return false; }
};

class WalkAnswer final : public control::Answer {
  public:
    WalkAnswer(Workers& workers, std::shared_ptr<Walk> walk)
        : workers_(workers), walk_(std::move(walk)) {}

    Next write(std::string& out) override;

  private:
    struct Piece {
        std::string text;
        bool last = false;
        std::atomic<bool> done{false};
    };
    void ask();

    Workers& workers_;
    std::shared_ptr<Walk> walk_;
    std::size_t worker_ = 0;
    std::shared_ptr<Piece> piece_; // that was asked for
};

} // namespace nfqws2::app
