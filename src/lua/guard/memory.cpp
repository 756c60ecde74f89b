// Theory of operation. An allocator in front of the engine's own looks at the size of the heap, but
// refuses memory only while Lua runs in a protected call; outside of one the error would end the
// process. As long as the heap is small, only large blocks are looked at, since hundreds of small
// ones make up a packet: the first tick of a call and a look every so many calls turn to watching
// all of them.
//
// LuaJIT does not survive a refusal while compiled code runs, and nobody can tell whether it does.
// So nothing is refused unless the compiler is shut. A heap that grows within a call asks for that
// by a hook, which runs in interpreted code only, and by starting a collection, for whose end
// compiled code is left. Until then grants go somewhat beyond the ceiling; what needs more ends the
// process.
//
// Between calls, in this order, each step if the one before was not enough: collect garbage, give
// up what can be done without, shut the compiler. Its code costs little, so it comes back only when
// the heap has become small. LuaJIT does not collect before it gives up, and usually lets its heap
// double before it begins: near the ceiling the collector begins earlier and works faster. A full
// collection is paid for by a second of work, or by a call that was refused memory and so has used
// up much of it.
//
// Below all that small blocks go round (small_blocks.hpp); those that wait count as used.
#include "errors.hpp"
#include "guard/small_blocks.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/base/machine_memory.hpp"
#include "nfqws2/lua/guard.hpp"

#include <algorithm>
#include <limits>
#include <new>

namespace nfqws2::lua {

namespace {

constexpr std::size_t kilobyte = 1024, megabyte = 1024 * kilobyte;
constexpr std::size_t large_block = 4096;

// In per cent of the ceiling: where room is made, where that cannot wait for a collection or the
// end of a call, where there is enough room again.
constexpr unsigned relief_percent = 60, urgent_percent = 90, ease_percent = 40;
constexpr unsigned press_percent = 25;   // with more in use the collector must not take its time
constexpr unsigned watched_percent = 25; // from here on small blocks are looked at too

// The collector's pause and speeds, in per cent.
constexpr int at_once = 100, fast = 600, fastest = 1000;

constexpr std::int64_t collection_interval_ms = 1000, shedding_interval_ms = 100;
constexpr std::int64_t rest_per_work = 20; // collections take at most so small a part of the time

// Of blocks that wait to be used again: what one cycle of the collector leaves of a usual heap.
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t most_kept = 0; // it watches blocks that were given back
#else
constexpr std::size_t most_kept = 2 * megabyte;
#endif
constexpr std::size_t kept_part = 16; // of the ceiling

std::int64_t machine_ms() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

} // namespace

unsigned default_memory_limit() {
    constexpr unsigned least = 16, most = 256;
    const std::size_t memory = machine_memory();
    if (memory == 0) return most;
    return static_cast<unsigned>(std::clamp<std::size_t>(memory / 4 / megabyte, least, most));
}

void Guard::attach_memory() {
    void* data = nullptr;
    const lua_Alloc engines = lua_getallocf(L_, &data);
    if (limits_.memory_megabytes == 0) {
        blocks_ = std::make_unique<SmallBlocks>(engines, data, most_kept);
        use_allocator(allocate_any);
        return;
    }
    ceiling_ = std::min<std::size_t>(limits_.memory_megabytes,
                                     std::numeric_limits<std::size_t>::max() / 2 / megabyte) *
               megabyte;
    constexpr std::size_t least_beyond = 8 * megabyte;
    most_ = ceiling_ + std::max(least_beyond, ceiling_ / 4);
    relief_at_ = part(relief_percent);
    counting_ = true;
    blocks_ =
        std::make_unique<SmallBlocks>(engines, data, std::min(most_kept, ceiling_ / kept_part));
    use_allocator(allocate_watched); // init code gets no ticks
}

void Guard::detach_memory() {
    blocks_->give_back();
    lua_setallocf(L_, blocks_->below(), blocks_->data());
    counting_ = near_ceiling_ = false;
}

void* Guard::allocate_small(void* data, void* block, std::size_t old_size, std::size_t size) {
    return static_cast<SmallBlocks*>(data)->allocate(block, old_size, size);
}

// Hundreds of blocks per packet come this way, and go: giving back cannot fail.
void* Guard::allocate(void* data, void* block, std::size_t old_size, std::size_t size) {
    if (size == 0) return allocate_small(data, block, old_size, size);
    if (size >= large_block) [[unlikely]]
        return allocate_watched(data, block, old_size, size);
    return allocate_any(data, block, old_size, size);
}

void* Guard::allocate_any(void* data, void* block, std::size_t old_size, std::size_t size) {
    void* result = allocate_small(data, block, old_size, size);
    if (result == nullptr && size != 0) [[unlikely]]
        end_if_compiled();
    return result;
}

void* Guard::allocate_watched(void* data, void* block, std::size_t old_size, std::size_t size) {
    if (size == 0) return allocate_small(data, block, old_size, size);
    const std::size_t before = block != nullptr ? old_size : 0; // else PUC Lua gives a type
    if (active_ != nullptr && size > before && !active_->grant(size - before)) return nullptr;
    return allocate_any(data, block, old_size, size);
}

// Nothing can be thrown through the frames of the engine.
void Guard::out_of_memory() {
    if (active_ != nullptr && active_->running_) active_->end_without_memory();
    throw std::bad_alloc();
}

void Guard::end_without_memory() const {
    end_process("gets no more memory from the system", memory_exit_code);
}

// The system gives nothing more, which the engine would have to bear like a refusal of ours.
void Guard::end_if_compiled() {
    if (active_ != nullptr && active_->running_ && !active_->compiler_.is_shut())
        active_->end_without_memory();
}

bool Guard::grant(std::size_t bytes) {
    if (!counting_) return true;
    const std::size_t total = used();
    near_ceiling_ = near_ceiling_ || total > relief_at_;
    if (!running_ || !limits_memory_) return true;
    if (compiler_.is_shut()) return bytes <= ceiling_ - std::min(total, ceiling_) || refuse();
    const std::size_t easily = part(urgent_percent);
    if (bytes <= easily - std::min(total, easily)) return true;
    ask_to_shut();
    if (bytes > most_ - std::min(total, most_))
        end_process("takes more memory than --lua-mem-limit allows", memory_exit_code);
    return true;
}

bool Guard::refuse() {
    refused_ = spilt_ = near_ceiling_ = true;
    return false;
}

// Called by the allocator: like a signal handler it may only store.
void Guard::ask_to_shut() {
    near_ceiling_ = true;
    if (asked_to_shut_ || hooked_) return; // hooked: the call is about to end
    asked_to_shut_ = true;
    lua_sethook(L_, shut_hook, LUA_MASKCOUNT, 1);
    take_collector();
    lua_gc(L_, LUA_GCRESTART, 0);
}

void Guard::shut_hook(lua_State* L, lua_Debug*) {
    lua_sethook(L, nullptr, 0, 0);
    if (active_ == nullptr) return;
    active_->asked_to_shut_ = false;
    active_->compiler_.shut(L);
}

// Native functions ask, which compiled code does not call: they may be refused at any time.
bool Guard::reserve(std::size_t bytes) {
    if (!has_room(bytes)) return false;
    outside_ += bytes;
    return true;
}

bool Guard::has_room(std::size_t bytes) {
    if (!counting_ || !running_ || !limits_memory_) return true;
    const std::size_t total = used();
    near_ceiling_ = near_ceiling_ || total > relief_at_;
    return bytes <= ceiling_ - std::min(total, ceiling_) || refuse();
}

std::size_t Guard::used() const {
    if (L_ == nullptr) return 0;
    // PUC Lua gives -1 while it collects.
    return static_cast<std::size_t>(std::max(lua_gc(L_, LUA_GCCOUNT, 0), 0)) * kilobyte + outside_ +
           blocks_->kept_bytes();
}

bool Guard::take_refused() {
    const bool was = refused_;
    refused_ = false;
    return was;
}

void Guard::look() {
    entries_left_ = entries_between_looks;
    if (!counting_ || relieving_) return;
    if (asked_to_shut_) {
        asked_to_shut_ = false;
        lua_sethook(L_, nullptr, 0, 0);
    }
    std::size_t total = used();
    const bool all_done = has_shed_ && compiler_.is_shut();
    const bool is_short = total > part(relief_percent) && !all_done && may_collect();
    if (near_ceiling_ || total > relief_at_ || is_short) {
        relieve();
        total = used();
    }
    if (total < part(ease_percent)) ease();
    if (pressed_ || live_ >= part(press_percent)) set_collector(total);
    const bool large = total > part(watched_percent);
    use_allocator(large || !has_timer_ ? allocate_watched : allocate);
}

// The data stay, so this is one store: a signal handler may do it.
void Guard::use_allocator(lua_Alloc function) {
    lua_setallocf(L_, function, blocks_.get());
}

void Guard::step_to_the_end_of_a_cycle(lua_State* L) {
    do
        restart();
    while (lua_gc(L, LUA_GCSTEP, 0) == 0);
}

void Guard::collect() {
    const std::int64_t begin = machine_ms();
    near_ceiling_ = false; // or the entry would begin with a collection of its own
    entries_left_ = entries_between_looks;
    enter({"garbage collection"}, false, true);
    // A finalizer may raise an error. The cycle that runs may have passed what is garbage now.
    lua_pushcfunction(L_, [](lua_State* L) {
        active_->step_to_the_end_of_a_cycle(L);
        active_->step_to_the_end_of_a_cycle(L);
        return 0;
    });
    if (lua_pcall(L_, 0, 0, 0) != 0) {
        if (interrupted_)
            lua_pop(L_, 1); // a request to quit came, which is no error of a script
        else
            log_lua_error(L_, "garbage collection");
    }
    leave();
    blocks_->give_back();
    live_ = used();
    spilt_ = false;
    const std::int64_t end = machine_ms();
    next_collection_ms_ = end + std::max(collection_interval_ms, (end - begin) * rest_per_work);
}

bool Guard::may_collect() const {
    return (spilt_ && used() > live_ + ceiling_ / 4) || machine_ms() >= next_collection_ms_;
}

void Guard::relieve() {
    near_ceiling_ = false;
    relieving_ = true;
    const bool collects = may_collect();
    if (collects) {
        collect();
        if (log::debug_enabled())
            log::debug("LUA: %zu of %zu MB in use after a collection near the memory limit",
                       live_ / megabyte, ceiling_ / megabyte);
    }
    const std::size_t total = used();
    const unsigned enough = has_shed_ ? ease_percent : relief_percent;
    if (total > part(collects ? enough : urgent_percent)) make_room(total);
    relief_at_ = std::max(part(relief_percent), total + ceiling_ / 8);
    relieving_ = false;
}

// What is given up here is garbage only now, so it shows at the next look.
void Guard::make_room(std::size_t total) {
    const bool in_vain = has_shed_ && total > part(relief_percent);
    if (in_vain || total > part(urgent_percent)) {
        if (log::debug_enabled() && !compiler_.is_shut())
            log::debug("LUA: the compiler is off until memory is free again");
        compiler_.shut(L_);
    }
    const std::int64_t now = machine_ms();
    if (now < next_shedding_ms_) return;
    next_shedding_ms_ = now + shedding_interval_ms;
    has_shed_ = true;
    if (shed_) shed_();
    near_ceiling_ = false;
}

// The next cycle begins when half of what is free now has been used up, and must end before the
// rest has. A small heap may double, as usual.
void Guard::set_collector(std::size_t total) {
    take_collector();
    int pause = own_pause_, speed = own_speed_;
    const bool pressed = live_ >= part(press_percent), hurried = total > part(urgent_percent);
    if (pressed) {
        const std::size_t free = ceiling_ - std::min(live_, ceiling_);
        pause = static_cast<int>(std::uint64_t{live_ + free / 2} * 100 / live_);
        speed = fast;
    }
    if (hurried) speed = fastest;
    lua_gc(L_, LUA_GCSETPAUSE, pause);
    lua_gc(L_, LUA_GCSETSTEPMUL, speed);
    pressed_ = pressed || hurried;
}

// As hard as it can. A script may have set values of its own.
void Guard::take_collector() {
    const int pause = lua_gc(L_, LUA_GCSETPAUSE, at_once);
    const int speed = lua_gc(L_, LUA_GCSETSTEPMUL, fastest);
    if (pressed_) return;
    pressed_ = true;
    own_pause_ = pause;
    own_speed_ = speed;
}

void Guard::set_pause(int pause) {
    if (pressed_)
        own_pause_ = pause;
    else
        lua_gc(L_, LUA_GCSETPAUSE, pause);
}

void Guard::ease() {
    has_shed_ = false;
    relief_at_ = part(relief_percent);
    compiler_.reopen(L_);
}

} // namespace nfqws2::lua
