// --lua-control: code for the Lua states, by datagrams as NFLua's tool sends them (docs/nflua.md).
// The socket is made with the privileges of the start.
#pragma once

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/log.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace nfqws2::app {

class Workers;

class CodeDoor {
  public:
    CodeDoor();
    ~CodeDoor();
    CodeDoor(const CodeDoor&) = delete;
    CodeDoor& operator=(const CodeDoor&) = delete;

    // False: logged.
    bool open(const std::string& path);
    int fd() const { return socket_.get(); } // -1: there is none
    // Takes a few datagrams; by the first worker, between packets.
    void turn(Workers& workers, bool all);

  private:
    struct Datagram;
    bool take(Workers& workers, bool all);

    FileDescriptor socket_;
    std::unique_ptr<Datagram> datagram_; // the last one
    std::uint64_t refused_ = 0;
    log::RateLimit refusals_{60'000};
};

// --lua-send: hands code (text, or a file behind @) to the program that listens at `path`, and
// prints its answer. The exit code of the process.
int send_code(const std::string& path, const std::string& what);

} // namespace nfqws2::app
