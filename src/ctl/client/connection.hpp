// A connection to a daemon's control socket (docs/control.md). The daemon is trusted no more than
// the names it passes on: lines are bounded, and what is no JSON object ends the connection.
#pragma once

#include "failure.hpp"
#include "json.hpp"
#include "lines.hpp"
#include "nfqws2/base/file.hpp"

#include <functional>
#include <string>

namespace nfqws2::ctl {

// The daemon has answered with an error; `code` is the protocol's.
class Refused : public Failure {
  public:
    Refused(const std::string& message, std::string code)
        : Failure(message), code_(std::move(code)) {}
    const std::string& code() const { return code_; }

  private:
    std::string code_;
};

class Connection {
  public:
    static constexpr std::size_t max_line = 8 << 20;

    explicit Connection(const std::string& path); // throws Failure

    // Sends the request and hands over each line of the answer, the last one too. A handler that
    // returns false has enough of a stream: it is ended in order. Throws Refused and Failure.
    using Handler = std::function<bool(const Json& line)>;
    // `idle`: called about every second without a line; false has enough too.
    void ask(const Json& request, const Handler& handler, const std::function<bool()>& idle = {});
    // All lines but the last, which must be few.
    std::vector<Json> ask(const Json& request);
    // The last line.
    Json ask_for_end(const Json& request);

    int fd() const { return socket_.get(); }

  private:
    void send(std::string_view text);
    Json next();

    std::string path_;
    FileDescriptor socket_;
    LineReader lines_;
};

bool answers(const std::string& path); // somebody accepts connections there

} // namespace nfqws2::ctl
