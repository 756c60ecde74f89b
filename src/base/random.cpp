// Theory of operation: the fast generator is xoshiro256** (period 2^256-1, four words of state).
// Its state comes from the kernel for live runs, or from a user's seed spread by splitmix64 for
// reproducible runs; only in the second case the "secure" bytes come from the generator as well.
#include "nfqws2/base/random.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

namespace nfqws2 {

namespace {

std::uint64_t splitmix64(std::uint64_t& x) {
    x += 0x9E3779B97F4A7C15U;
    std::uint64_t z = x;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

// Old kernels and some containers lack getrandom(2).
bool read_urandom(MutBytes out) {
    const int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    while (!out.empty()) {
        const ssize_t n = read(fd, out.data(), out.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        out = out.subspan(static_cast<std::size_t>(n));
    }
    close(fd);
    return out.empty();
}

bool read_system_entropy(MutBytes out) {
    while (!out.empty()) {
        const ssize_t n = getrandom(out.data(), out.size(), 0);
        if (n < 0) {
            if (errno == EINTR) continue;
            return read_urandom(out);
        }
        out = out.subspan(static_cast<std::size_t>(n));
    }
    return true;
}

class Xoshiro256 : public Random {
  public:
    std::uint64_t next64() override {
        const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
        const std::uint64_t t = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = std::rotl(state_[3], 45);
        return result;
    }

  protected:
    void seed_with(std::uint64_t seed) {
        for (std::uint64_t& word : state_)
            word = splitmix64(seed);
    }
    std::array<std::uint64_t, 4> state_{};
};

class SecureRandom final : public Xoshiro256 {
  public:
    SecureRandom() {
        const MutBytes raw{reinterpret_cast<std::uint8_t*>(state_.data()), sizeof(state_)};
        // An all-zero state would stay zero for ever.
        if (!read_system_entropy(raw) || state_ == std::array<std::uint64_t, 4>{})
            seed_with(weak_seed());
    }
    bool fill_secure(MutBytes out) override { return read_system_entropy(out); }

  private:
    // Without any entropy source the fast generator still has to differ from run to run.
    static std::uint64_t weak_seed() {
        timespec ts{};
        clock_gettime(CLOCK_REALTIME, &ts);
        return static_cast<std::uint64_t>(ts.tv_sec) * 1'000'000'007U ^
               static_cast<std::uint64_t>(ts.tv_nsec) << 20 ^ static_cast<std::uint64_t>(getpid());
    }
};

class SeededRandom final : public Xoshiro256 {
  public:
    explicit SeededRandom(std::uint64_t seed) { seed_with(seed); }
    bool fill_secure(MutBytes out) override {
        fill(out);
        return true;
    }
};

} // namespace

void Random::fill(MutBytes out) {
    while (!out.empty()) {
        const std::uint64_t word = next64();
        std::uint8_t bytes[8];
        for (unsigned i = 0; i < 8; i++)
            bytes[i] = static_cast<std::uint8_t>(word >> (8 * i));
        const std::size_t n = out.size() < 8 ? out.size() : 8;
        std::memcpy(out.data(), bytes, n);
        out = out.subspan(n);
    }
}

std::uint32_t Random::below(std::uint32_t bound) {
    if (bound == 0) return 0;
    // The product's low half below 2^32 mod bound would favour some results.
    const std::uint32_t unfair = (0U - bound) % bound;
    for (;;) {
        const std::uint64_t product = (next64() >> 32) * bound;
        if (static_cast<std::uint32_t>(product) >= unfair)
            return static_cast<std::uint32_t>(product >> 32);
    }
}

std::unique_ptr<Random> make_secure_random() {
    return std::make_unique<SecureRandom>();
}

std::unique_ptr<Random> make_seeded_random(std::uint64_t seed) {
    return std::make_unique<SeededRandom>(seed);
}

} // namespace nfqws2
