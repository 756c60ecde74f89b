// Theory of operation: input is read until it holds more than a request can have, so a client that
// sends faster than it is answered waits in its own socket. A line begins an answer; while that is
// written, further lines stay in the input, but for an answer without end, which the next line
// closes. Each turn asks the answer for one piece, and only if the client has taken most of what
// was written before. The client's end of the connection may be closed for writing only (a pipe
// into a tool): what was asked is answered then, and after the last answer the connection ends.
#include "client.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>

namespace nfqws2::control {

short Client::events() const {
    int events = 0;
    if (!input_ended_ && !closing_ && input_.size() <= Request::max_size) events |= POLLIN;
    if (sent_ < output_.size()) events |= POLLOUT;
    return static_cast<short>(events);
}

int Client::wait_ms(std::int64_t now_ms) const {
    if (answer_ && !waits_ && has_room()) return 0;
    if (!answer_ && !closing_ && looked_ < input_.size()) return 0; // came with the line before
    std::int64_t wait = -1;
    if (answer_ && has_room()) wait = answer_->wait_ms();
    if (sent_ < output_.size()) {
        const std::int64_t left = std::max<std::int64_t>(taken_ms_ + patience_ms - now_ms, 0);
        wait = wait < 0 ? left : std::min(wait, left);
    }
    return static_cast<int>(wait);
}

bool Client::turn(short happened, const std::vector<Command>& commands, std::int64_t now_ms) {
    const bool gone = (happened & (POLLHUP | POLLERR | POLLNVAL)) != 0;
    if ((happened & POLLIN) != 0 && !receive()) return false;
    if (!closing_) take_requests(commands);
    if (gone) { // what it has asked for is done though nobody reads the answer
        while (answer_) {
            answer_.reset();
            take_requests(commands);
        }
        return false;
    }
    if (answer_ && has_room()) go_on();
    if (!flush(now_ms)) return false;
    const bool idle = !answer_ && output_.empty();
    return !(idle && (closing_ || (input_ended_ && input_.empty())));
}

void Client::dismiss(const Refusal& refusal) {
    output_ += error_line(refusal);
    input_.clear();
    answer_.reset();
    closing_ = true;
}

bool Client::receive() {
    char buffer[16384];
    while (input_.size() <= Request::max_size) {
        const ssize_t size = recv(file_.get(), buffer, sizeof buffer, 0);
        if (size > 0) {
            input_.append(buffer, static_cast<std::size_t>(size));
            continue;
        }
        if (size == 0) input_ended_ = true;
        return size == 0 || errno == EAGAIN || errno == EINTR;
    }
    return true;
}

// A line at a time; what follows waits until it is answered.
void Client::take_requests(const std::vector<Command>& commands) {
    while (!answer_ || answer_->endless()) {
        const std::size_t newline = input_.find('\n', looked_);
        const std::size_t end = std::min(newline, input_.size());
        if (end > Request::max_size) {
            dismiss({"bad-request", "a request has at most 65536 bytes"});
            return;
        }
        looked_ = end;
        // The last line may lack its end.
        if (newline == std::string::npos && (!input_ended_ || input_.empty())) return;
        const std::string line = input_.substr(0, end);
        input_.erase(0, end + 1);
        looked_ = 0;
        if (answer_) answer_->close(output_);
        answer_.reset();
        if (line.find_first_not_of(" \t\r") != std::string::npos) begin(line, commands);
    }
}

void Client::begin(std::string_view line, const std::vector<Command>& commands) {
    Refusal refusal{"bad-request", {}};
    std::optional<Request> request = parse_request(line, &refusal.text);
    if (request) {
        request->access = access_;
        if (const Command* command = find_command(commands, *request, &refusal)) {
            refusal = {"failed", "it cannot be done"};
            answer_ = command->make(*request, &refusal);
        }
    }
    waits_ = false;
    if (!answer_) output_ += error_line(refusal);
}

void Client::go_on() {
    const Answer::Next next = answer_->write(output_);
    waits_ = next == Answer::Next::later;
    if (next == Answer::Next::end) answer_.reset();
}

bool Client::flush(std::int64_t now_ms) {
    while (sent_ < output_.size()) {
        const ssize_t size = send(file_.get(), output_.data() + sent_, output_.size() - sent_,
                                  MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size > 0) {
            sent_ += static_cast<std::size_t>(size);
            taken_ms_ = now_ms;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR) return false;
        if (sent_ >= enough_output) {
            output_.erase(0, sent_);
            sent_ = 0;
        }
        return now_ms - taken_ms_ < patience_ms;
    }
    output_.clear();
    sent_ = 0;
    taken_ms_ = now_ms;
    return true;
}

} // namespace nfqws2::control
