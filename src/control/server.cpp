#include "nfqws2/control/server.hpp"

#include "client.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>

namespace nfqws2::control {
namespace {

constexpr std::int64_t pause_ms = 1000; // without a descriptor for the next client

} // namespace

Server::Server(ListeningSocket socket, const Rights& rights, std::vector<Command> commands,
               const Clock& clock)
    : socket_(std::move(socket)), rights_(rights), commands_(std::move(commands)), clock_(clock) {
    watch();
}

Server::~Server() = default;

int Server::wait_ms() const {
    const std::int64_t now = clock_.boot_ms();
    int wait = paused_until_ms_ > now ? static_cast<int>(paused_until_ms_ - now) : -1;
    for (const auto& client : clients_) {
        const int of_client = client->wait_ms(now);
        if (of_client >= 0 && (wait < 0 || of_client < wait)) wait = of_client;
    }
    return wait;
}

// One piece of work for each client.
void Server::turn() {
    if (clients_.empty() && watched_[0].revents == 0 && paused_until_ms_ == 0) return;
    const std::int64_t now = clock_.boot_ms();
    for (std::size_t i = 0; i < clients_.size(); i++)
        if (!clients_[i]->turn(watched_[i + 1].revents, commands_, now)) clients_[i].reset();
    std::erase(clients_, nullptr);
    if (paused_until_ms_ <= now) paused_until_ms_ = 0;
    if (watched_[0].revents != 0) welcome();
    watch();
}

void Server::flush() {
    static const std::vector<Command> none;
    for (const auto& client : clients_)
        client->turn(0, none, clock_.boot_ms());
}

// A burst is taken in several turns.
void Server::welcome() {
    constexpr unsigned most_at_once = 4;
    for (unsigned i = 0; i < most_at_once; i++) {
        FileDescriptor file(
            accept4(socket_.file.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!file) {
            const bool nobody = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
            if (!nobody) paused_until_ms_ = clock_.boot_ms() + pause_ms;
            return;
        }
        admit(std::move(file));
    }
}

void Server::admit(FileDescriptor file) {
    const std::optional<Peer> peer = peer_of(file.get());
    const Access access = peer ? access_for(*peer, rights_) : Access::none;
    auto client = std::make_unique<Client>(std::move(file), access);
    const auto readers =
        static_cast<std::size_t>(std::count_if(clients_.begin(), clients_.end(), [](const auto& c) {
            return c->access() == Access::read;
        }));
    std::optional<Refusal> refusal;
    if (access == Access::none)
        refusal = {"forbidden", "this socket is for root and its group"};
    else if (clients_.size() >= max_clients || (access == Access::read && readers >= max_readers))
        refusal = {"busy", "there are too many clients"};
    if (refusal) { // the line fits into an empty socket
        client->dismiss(*refusal);
        client->turn(0, commands_, clock_.boot_ms());
        return;
    }
    clients_.push_back(std::move(client));
}

void Server::watch() {
    const bool paused = paused_until_ms_ > clock_.boot_ms();
    watched_.clear();
    watched_.push_back({socket_.file.get(), static_cast<short>(paused ? 0 : POLLIN), 0});
    for (const auto& client : clients_)
        watched_.push_back({client->fd(), client->events(), 0});
}

} // namespace nfqws2::control
