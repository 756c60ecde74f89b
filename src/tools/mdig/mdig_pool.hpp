// The threads of mdig, where there is no resolver that asks without waiting. Input is pulled, never
// queued: memory depends on the number of threads only.
#pragma once

#include "mdig/mdig.hpp"
#include "mdig/mdig_intake.hpp"
#include "mdig/mdig_resolver.hpp"

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

namespace nfqws2::tools {

class ResolverPool {
  public:
    ResolverPool(const MdigOptions& options, Resolver& resolver, LineReader& input,
                 MdigOutput& output)
        : options_(options), resolver_(resolver), intake_(options, input, output), output_(output) {
    }

    // Runs until the input ends and every name is done. Returns how many threads could be started.
    unsigned run();
    bool out_of_memory() const { return out_of_memory_; }

  private:
    struct Worker {
        unsigned id = 0;
        Batch batch;
        std::string domain; // to be resolved next; empty if none
        std::vector<IpAddress> addresses;
    };

    void work(unsigned id) noexcept;
    bool take(Worker& worker);
    void resolve(Worker& worker);
    int ask(Worker& worker);

    const MdigOptions& options_;
    Resolver& resolver_;
    Intake intake_;
    MdigOutput& output_;
    std::mutex input_mutex_; // taken before the output's lock, never after it
    std::atomic<bool> out_of_memory_{false};
};

} // namespace nfqws2::tools
