#include "mdig/mdig_ares.hpp"

#if NFQWS2_HAVE_ARES

#include "nfqws2/base/file.hpp"

#include <algorithm>
#include <ares.h>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <memory>
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

// The beginning, which has everything; "" if there is none.
std::string read_resolv_conf() {
    std::string text(64 * 1024, '\0');
    const FileDescriptor file(open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC));
    const ssize_t n = file ? read(file.get(), text.data(), text.size()) : 0;
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
}

// Who guesses answers has to guess their port too, so a port serves a few queries only. Libraries
// that cannot see to that themselves keep it as long as something is on its way: they get a channel
// now and then, which has its own.
constexpr unsigned queries_per_port = 64;
#ifdef ARES_OPT_UDP_MAX_QUERIES
constexpr bool ports_change = true;
#else
constexpr bool ports_change = false;
#endif
// Those of slow answers stay meanwhile. Each costs the library some 80 KB.
constexpr std::size_t max_channels = 16;

struct Channel {
    ares_channel handle = nullptr;
    unsigned asked = 0;        // queries
    unsigned on_their_way = 0; // questions
    std::vector<pollfd> sockets;
    bool out_of_memory = false;

    Channel() = default;
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    ~Channel() {
        if (handle != nullptr) ares_destroy(handle);
    }

    bool begin(const Patience& patience) {
        ares_options options{};
        options.timeout = patience.timeout_s * 1000;
        options.tries = patience.attempts;
        options.sock_state_cb = watch;
        options.sock_state_cb_data = this;
        int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_UDP_MAX_QUERIES
        options.udp_max_queries = queries_per_port;
        mask |= ARES_OPT_UDP_MAX_QUERIES;
#endif
#ifdef ARES_OPT_QUERY_CACHE
        // A name that is asked again, after a failure for example, is asked for.
        options.qcache_max_ttl = 0;
        mask |= ARES_OPT_QUERY_CACHE;
#endif
        return ares_init_options(&handle, &options, mask) == ARES_SUCCESS;
    }

    // Called by the library, through which no exception may go.
    static void watch(void* self, ares_socket_t socket, int readable, int writable) noexcept {
        auto& channel = *static_cast<Channel*>(self);
        std::erase_if(channel.sockets, [&](const pollfd& one) { return one.fd == socket; });
        const int events = (readable != 0 ? POLLIN : 0) | (writable != 0 ? POLLOUT : 0);
        if (events == 0) return;
        try {
            channel.sockets.push_back({socket, static_cast<short>(events), 0});
        } catch (const std::bad_alloc&) {
            channel.out_of_memory = true;
        }
    }
};

class AresResolver final : public AsyncResolver {
  public:
    ~AresResolver() override {
        channels_.clear(); // which tells questions on their way
        if (library_) ares_library_cleanup();
    }

    bool begin() {
        library_ = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
        if (!library_) return false;
        patience_ = patience_of(read_resolv_conf());
        return begin_channel();
    }

    void ask(unsigned slot, const std::string& name, Families families) override {
        while (questions_.size() <= slot)
            questions_.push_back({this, static_cast<unsigned>(questions_.size()), nullptr});
        const bool both = families.v4 && families.v6;
        Channel& channel = channel_to_ask();
        channel.asked += both ? 2 : 1;
        channel.on_their_way++;
        questions_[slot].channel = &channel;
        ares_addrinfo_hints hints{};
        hints.ai_socktype = SOCK_DGRAM; // one entry per address
        hints.ai_family = both ? AF_UNSPEC : families.v6 ? AF_INET6 : AF_INET;
        ares_getaddrinfo(channel.handle, name.c_str(), nullptr, &hints, answered,
                         &questions_[slot]);
    }

    void wait(int descriptor, int timeout_ms, std::vector<Answer>& answers) override {
        if (answers_.empty() && !out_of_memory()) wait_for_sockets(descriptor, timeout_ms);
        if (out_of_memory()) throw std::bad_alloc();
        for (Answer& answer : answers_)
            answers.push_back(std::move(answer));
        answers_.clear();
        end_channels();
    }

  private:
    struct Question {
        AresResolver* asker;
        unsigned slot;
        Channel* channel;
    };

    bool begin_channel() {
        auto channel = std::make_unique<Channel>();
        if (!channel->begin(patience_)) return false;
        channels_.push_back(std::move(channel));
        return true;
    }

    // The last one; where there can be no other now, it goes on.
    Channel& channel_to_ask() {
        if (!ports_change && channels_.back()->asked >= queries_per_port &&
            channels_.size() < max_channels)
            begin_channel();
        return *channels_.back();
    }

    // Those before the last one, when they have all their answers.
    void end_channels() {
        std::unique_ptr<Channel> last = std::move(channels_.back());
        channels_.pop_back();
        std::erase_if(channels_, [](const std::unique_ptr<Channel>& channel) {
            return channel->on_their_way == 0;
        });
        channels_.push_back(std::move(last));
    }

    bool out_of_memory() const {
        return out_of_memory_ ||
               std::any_of(channels_.begin(), channels_.end(),
                           [](const auto& channel) { return channel->out_of_memory; });
    }

    void wait_for_sockets(int descriptor, int timeout_ms) {
        polled_.clear();
        owners_.clear();
        for (const auto& channel : channels_) {
            polled_.insert(polled_.end(), channel->sockets.begin(), channel->sockets.end());
            owners_.resize(polled_.size(), channel->handle);
        }
        if (descriptor >= 0) polled_.push_back({descriptor, POLLIN, 0});
        const int ready = poll(polled_.data(), polled_.size(), milliseconds_to_wait(timeout_ms));
        for (std::size_t i = 0; ready > 0 && i < owners_.size(); i++) {
            const pollfd& socket = polled_[i];
            if (socket.revents == 0) continue;
            const bool in = (socket.revents & ~POLLOUT) != 0, out = (socket.revents & POLLOUT) != 0;
            ares_process_fd(owners_[i], in ? socket.fd : ARES_SOCKET_BAD,
                            out ? socket.fd : ARES_SOCKET_BAD);
        }
        for (const auto& channel : channels_) // those whose time is over
            ares_process_fd(channel->handle, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }

    // Until the first question of a channel has waited long enough.
    int milliseconds_to_wait(int most) const {
        for (const auto& channel : channels_) {
            timeval left{};
            const timeval* patience = ares_timeout(channel->handle, nullptr, &left);
            if (patience == nullptr) continue;
            const int milliseconds =
                static_cast<int>(patience->tv_sec * 1000 + (patience->tv_usec + 999) / 1000);
            if (most < 0 || milliseconds < most) most = milliseconds;
        }
        return most;
    }

    // Called by the library, too.
    static void answered(void* question, int status, int, ares_addrinfo* info) noexcept {
        const auto& [asker, slot, channel] = *static_cast<Question*>(question);
        const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owner(
            info, &ares_freeaddrinfo);
        channel->on_their_way--;
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
    Patience patience_;
    std::vector<std::unique_ptr<Channel>> channels_;
    std::deque<Question> questions_; // by slot; their places are known to the library
    std::vector<pollfd> polled_;
    std::vector<ares_channel> owners_; // of what is polled
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
