// Theory of operation. Each worker repeats: under the input lock take lines until one has to be
// resolved (or enough are gathered), release the lock, ask the resolver, hand the results to the
// output. Addresses and bad lines cost less than passing them to another thread, so they are dealt
// with right under the input lock; only names, which block, are spread over the threads. With one
// thread the order of the output is the order of the input.
#include "mdig/mdig_pool.hpp"

#include "nfqws2/base/text.hpp"

#include <chrono>
#include <netdb.h>
#include <new>
#include <system_error>
#include <thread>

namespace nfqws2::tools {

unsigned ResolverPool::run() {
    std::vector<std::thread> threads;
    threads.reserve(options_.threads);
    for (unsigned id = 0; id < options_.threads; id++) {
        try {
            threads.emplace_back([this, id] { work(id); });
        } catch (const std::system_error&) {
            output_.complain("failed to create thread #" + std::to_string(id));
            break;
        }
    }
    for (std::thread& thread : threads)
        thread.join();
    return static_cast<unsigned>(threads.size());
}

void ResolverPool::work(unsigned id) noexcept {
    try {
        Worker worker;
        worker.id = id;
        if (output_.verbose()) output_.message(id, "started");
        while (take(worker)) {
            if (!worker.domain.empty()) resolve(worker);
            output_.commit(worker.batch);
        }
        if (output_.verbose()) output_.message(id, "ended");
    } catch (const std::bad_alloc&) {
        out_of_memory_ = true;
    }
}

bool ResolverPool::take(Worker& worker) {
    const std::lock_guard lock(input_mutex_);
    return !out_of_memory_ && intake_.take(worker.id, worker.batch, worker.domain);
}

void ResolverPool::resolve(Worker& worker) {
    if (output_.verbose()) output_.message(worker.id, "resolving " + worker.domain);
    const bool success = ask(worker) == 0;
    if (success)
        for (const IpAddress& address : worker.addresses)
            worker.batch.print_address(address);
    worker.batch.add_done(worker.domain, success, output_.logging());
}

int ResolverPool::ask(Worker& worker) {
    int code = EAI_FAIL;
    for (unsigned attempt = 0; attempt < options_.eagain; attempt++) {
        worker.addresses.clear();
        code = resolver_.resolve(worker.domain, options_.families, worker.addresses);
        if (code == 0) break;
        if (output_.verbose()) output_.message(worker.id, failure_text(worker.domain, code));
        if (code != EAI_AGAIN) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(options_.eagain_delay_ms));
    }
    return code;
}

} // namespace nfqws2::tools
