// Clients that come and go. It belongs to one loop, which waits for its descriptors beside its own
// and gives it a turn after each wait; nothing here blocks.
#pragma once

#include "nfqws2/base/clock.hpp"
#include "nfqws2/control/command.hpp"
#include "nfqws2/control/listening_socket.hpp"
#include "nfqws2/control/peer.hpp"

#include <memory>
#include <poll.h>
#include <span>
#include <vector>

namespace nfqws2::control {

class Client;

class Server {
  public:
    static constexpr std::size_t max_clients = 16, max_readers = 8;

    Server(ListeningSocket socket, const Rights& rights, std::vector<Command> commands,
           const Clock& clock);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    const std::string& path() const { return socket_.path; }
    // What poll() is to wait for; it leaves there what happened, for the next turn.
    std::span<pollfd> watched() { return watched_; }
    // Milliseconds until a turn is due though nothing happened: 0 = now, -1 = never.
    int wait_ms() const;
    void turn();
    // The daemon ends: what is ready goes out as far as the clients take it.
    void flush();

  private:
    void welcome();
    void admit(FileDescriptor file);
    void watch();

    ListeningSocket socket_;
    Rights rights_;
    std::vector<Command> commands_;
    const Clock& clock_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::int64_t paused_until_ms_ = 0; // nobody could be let in
    std::vector<pollfd> watched_;      // the listening socket, then one for each client
};

} // namespace nfqws2::control
