// One connection: the bytes of requests as they come, the answer that is being written, the bytes
// that the client has not taken yet.
#pragma once

#include "nfqws2/base/file.hpp"
#include "nfqws2/control/command.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace nfqws2::control {

class Client {
  public:
    Client(FileDescriptor file, Access access) : file_(std::move(file)), access_(access) {}

    int fd() const { return file_.get(); }
    Access access() const { return access_; }
    short events() const; // to wait for
    // Milliseconds until it wants its turn though nothing happened: 0 = now, -1 = never.
    int wait_ms(std::int64_t now_ms) const;

    // Reads, answers, writes, a piece of each. False: it is gone, or has to go.
    bool turn(short happened, const std::vector<Command>& commands, std::int64_t now_ms);
    // One line, then the end.
    void dismiss(const Refusal& refusal);

  private:
    static constexpr std::size_t enough_output = 64 * 1024; // before more is written
    static constexpr std::int64_t patience_ms = 5000;

    bool receive();
    void take_requests(const std::vector<Command>& commands);
    void begin(std::string_view line, const std::vector<Command>& commands);
    void go_on();
    bool flush(std::int64_t now_ms);
    bool has_room() const { return output_.size() - sent_ < enough_output; }

    FileDescriptor file_;
    Access access_;
    std::string input_, output_;
    std::size_t sent_ = 0;   // of output_
    std::size_t looked_ = 0; // so much of input_ has no line end
    bool input_ended_ = false, closing_ = false;
    bool waits_ = false;        // the answer has nothing to say now
    std::int64_t taken_ms_ = 0; // when the client last took something, or had nothing to take
    std::unique_ptr<Answer> answer_;
};

} // namespace nfqws2::control
