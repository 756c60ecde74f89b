#include "walk.hpp"

namespace nfqws2::app {

control::Answer::Next WalkAnswer::write(std::string& out) {
    if (worker_ == workers_.size() || walk_->enough())
        return walk_->finish(out) ? Next::end : Next::more;
    if (worker_ == 0) { // the main thread's own
        if (walk_->piece(workers_[0], out)) worker_++;
        return Next::more;
    }
    if (!piece_) ask();
    if (!piece_->done.load(std::memory_order_acquire)) return Next::later;
    out += piece_->text;
    if (piece_->last) worker_++;
    piece_.reset();
    return Next::more;
}

void WalkAnswer::ask() {
    piece_ = std::make_shared<Piece>();
    Worker& worker = workers_[worker_];
    const Bell& bell = workers_[0].bell;
    worker.errands.add([piece = piece_, walk = walk_, &bell](Worker& run) {
        piece->last = walk->piece(run, piece->text);
        piece->done.store(true, std::memory_order_release);
        bell.ring();
    });
    worker.bell.ring();
}

} // namespace nfqws2::app
