#include "mdig/mdig_ares.hpp"

#if NFQWS2_HAVE_ARES

#include "nfqws2/base/file.hpp"

#include <ares.h>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <new>
#include <poll.h>
#include <string>
#include <unistd.h>

namespace nfqws2::tools {

namespace {

// What getaddrinfo would say.
int eai_of(int status) {
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENODATA:
#ifdef EAI_NODATA
        return EAI_NODATA;
#else
        return EAI_NONAME;
#endif
    case ARES_ENOTFOUND:
    case ARES_EBADNAME:
        return EAI_NONAME;
    case ARES_ENOMEM:
        return EAI_MEMORY;
    case ARES_EBADFAMILY:
        return EAI_FAMILY;
    // No server, or none that could say.
    case ARES_ESERVFAIL:
    case ARES_ENOTIMP:
    case ARES_EREFUSED:
    case ARES_ECONNREFUSED:
    case ARES_ETIMEOUT:
        return EAI_AGAIN;
    default:
        return EAI_FAIL;
    }
}

void append_address(const sockaddr* address, std::vector<IpAddress>& out) {
    std::uint8_t raw[16];
    if (address->sa_family == AF_INET) {
        const auto* in = reinterpret_cast<const sockaddr_in*>(address);
        std::memcpy(raw, &in->sin_addr, 4);
        out.push_back(IpAddress::v4(raw));
    } else if (address->sa_family == AF_INET6) {
        const auto* in6 = reinterpret_cast<const sockaddr_in6*>(address);
        std::memcpy(raw, &in6->sin6_addr, 16);
        out.push_back(IpAddress::v6(raw));
    }
}

// The beginning, which has everything; "" if there is none.
std::string read_resolv_conf() {
    std::string text(64 * 1024, '\0');
    const FileDescriptor file(open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC));
    const ssize_t n = file ? read(file.get(), text.data(), text.size()) : 0;
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
}

class AresResolver final : public AsyncResolver {
  public:
    ~AresResolver() override {
        if (channel_ != nullptr) ares_destroy(channel_);
        if (library_) ares_library_cleanup();
    }

    bool begin() {
        library_ = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
        if (!library_) return false;
        const Patience patience = patience_of(read_resolv_conf());
        ares_options options{};
        options.timeout = patience.timeout_s * 1000;
        options.tries = patience.attempts;
        options.sock_state_cb = watch;
        options.sock_state_cb_data = this;
        int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_UDP_MAX_QUERIES
        // A new port now and then: who guesses answers has to guess it too.
        options.udp_max_queries = 64;
        mask |= ARES_OPT_UDP_MAX_QUERIES;
#endif
        return ares_init_options(&channel_, &options, mask) == ARES_SUCCESS;
    }

    void ask(unsigned slot, const std::string& name, Families families) override {
        while (questions_.size() <= slot)
            questions_.push_back({this, static_cast<unsigned>(questions_.size())});
        ares_addrinfo_hints hints{};
        hints.ai_socktype = SOCK_DGRAM; // one entry per address
        hints.ai_family = families.v4 && families.v6 ? AF_UNSPEC : families.v6 ? AF_INET6 : AF_INET;
        ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, answered, &questions_[slot]);
    }

    void wait(int descriptor, int timeout_ms, std::vector<Answer>& answers) override {
        if (answers_.empty() && !out_of_memory_) wait_for_sockets(descriptor, timeout_ms);
        if (out_of_memory_) throw std::bad_alloc();
        for (Answer& answer : answers_)
            answers.push_back(std::move(answer));
        answers_.clear();
    }

  private:
    struct Question {
        AresResolver* asker;
        unsigned slot;
    };

    void wait_for_sockets(int descriptor, int timeout_ms) {
        polled_ = sockets_;
        if (descriptor >= 0) polled_.push_back({descriptor, POLLIN, 0});
        timeval most{timeout_ms / 1000, (timeout_ms % 1000) * 1000}, left{};
        const timeval* patience = ares_timeout(channel_, timeout_ms >= 0 ? &most : nullptr, &left);
        const int milliseconds =
            patience == nullptr
                ? -1
                : static_cast<int>(patience->tv_sec * 1000 + (patience->tv_usec + 999) / 1000);
        const int ready = poll(polled_.data(), polled_.size(), milliseconds);
        if (descriptor >= 0) polled_.pop_back();
        for (const pollfd& socket : polled_) {
            if (ready <= 0 || socket.revents == 0) continue;
            const bool in = (socket.revents & ~POLLOUT) != 0, out = (socket.revents & POLLOUT) != 0;
            ares_process_fd(channel_, in ? socket.fd : ARES_SOCKET_BAD,
                            out ? socket.fd : ARES_SOCKET_BAD);
        }
        // Those whose time is over.
        ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }

    // Called by the library, through which no exception may go.
    static void watch(void* self, ares_socket_t socket, int readable, int writable) noexcept {
        auto& resolver = *static_cast<AresResolver*>(self);
        std::erase_if(resolver.sockets_, [&](const pollfd& one) { return one.fd == socket; });
        const int events = (readable != 0 ? POLLIN : 0) | (writable != 0 ? POLLOUT : 0);
        if (events == 0) return;
        try {
            resolver.sockets_.push_back({socket, static_cast<short>(events), 0});
        } catch (const std::bad_alloc&) {
            resolver.out_of_memory_ = true;
        }
    }

    static void answered(void* question, int status, int, ares_addrinfo* info) noexcept {
        const auto& [asker, slot] = *static_cast<Question*>(question);
        const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owner(
            info, &ares_freeaddrinfo);
        if (status == ARES_EDESTRUCTION) return;
        try {
            Answer answer{slot, eai_of(status), {}};
            for (const ares_addrinfo_node* node =
                     status == ARES_SUCCESS && info != nullptr ? info->nodes : nullptr;
                 node != nullptr; node = node->ai_next)
                append_address(node->ai_addr, answer.addresses);
            asker->answers_.push_back(std::move(answer));
        } catch (const std::bad_alloc&) {
            asker->out_of_memory_ = true;
        }
    }

    bool library_ = false;
    ares_channel channel_ = nullptr;
    std::deque<Question> questions_; // by slot; their places are known to the library
    std::vector<pollfd> sockets_, polled_;
    std::vector<Answer> answers_;
    bool out_of_memory_ = false;
};

} // namespace

std::unique_ptr<AsyncResolver> make_ares_resolver() {
    auto resolver = std::make_unique<AresResolver>();
    if (!resolver->begin()) return nullptr;
    return resolver;
}

} // namespace nfqws2::tools

#else

namespace nfqws2::tools {

std::unique_ptr<AsyncResolver> make_ares_resolver() {
    return nullptr;
}

} // namespace nfqws2::tools

#endif
