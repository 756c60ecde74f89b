// Theory of operation: a handle receives events on one socket and asks on another, so that answers
// and events never mix. What was received is kept by the handle and told message by message: a
// callback may end the loop, or the handle, at any of them.
#if NFQWS2_HAVE_NFCT

#include "api/arguments.hpp"
#include "nfct/objects.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/lua/attachments.hpp"
#include "nfqws2/lua/connections.hpp"

#include <cerrno>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

namespace nfqws2::lua {
namespace {

constexpr unsigned most_handles = 64;
constexpr unsigned for_conntrack = 1, for_expect = 2;

constexpr Word subsystem_words[] = {
    {"conntrack", for_conntrack}, {"expect", for_expect}, {"both", for_conntrack | for_expect}};
constexpr Word event_words[] = {{"none", 0},
                                {"new", NFCT_T_NEW},
                                {"update", NFCT_T_UPDATE},
                                {"destroy", NFCT_T_DESTROY},
                                {"all", NFCT_T_ALL}};
constexpr unsigned error_kind = static_cast<unsigned>(NFCT_T_ERROR);
constexpr Word callback_words[] = {{"new", NFCT_T_NEW},
                                   {"update", NFCT_T_UPDATE},
                                   {"destroy", NFCT_T_DESTROY},
                                   {"all", NFCT_T_ALL},
                                   {"error", error_kind}};

enum class Verdict : std::uint8_t { proceed, stop, failure };
constexpr Word verdict_words[] = {{"continue", static_cast<unsigned>(Verdict::proceed)},
                                  {"stolen", static_cast<unsigned>(Verdict::proceed)},
                                  {"stop", static_cast<unsigned>(Verdict::stop)},
                                  {"failure", static_cast<unsigned>(Verdict::failure)}};

// Groups of events are bits too, those of expectations behind the others.
unsigned groups_of(unsigned subsystems, unsigned events) {
    constexpr unsigned behind = 3;
    return ((subsystems & for_conntrack) != 0 ? events : 0) |
           ((subsystems & for_expect) != 0 ? events << behind : 0);
}

// 0 or an errno.
int open_events(const Services& services, CtHandle& handle, unsigned subsystems, unsigned events) {
    if (!services.offline) return handle.events.open(groups_of(subsystems, events));
    flow::CtSim* const table =
        services.simulation != nullptr ? services.simulation->simulation() : nullptr;
    if (table != nullptr)
        handle.simulated = std::make_unique<SimulatedTable>(
            *table, (subsystems & for_conntrack) != 0 ? events : 0);
    return 0;
}

int open(lua_State* L) {
    const unsigned subsystems = check_word(L, 1, subsystem_words);
    unsigned events = 0;
    for (int i = lua_gettop(L); i > 1; i--)
        events |= check_word(L, i, event_words);
    State& state = module_state(L);
    const Services& services = state.services();
    if (!services.offline && !services.kernel.conntrack)
        return push_failure(L, "not allowed: --lua-allow=conntrack", EPERM);
    if (state.module_objects().handles >= most_handles) return push_failure(L, EMFILE);
    CtHandle& handle = push_object<CtHandle>(L);
    lua_createtable(L, 2, 0);
    set_companion(L, -2);
    const bool keeps_events = services.offline && events != 0;
    const std::size_t memory = keeps_events ? CtHandle::memory_of_events : CtHandle::memory;
    if (!state.guard().reserve(memory)) return push_failure(L, ENOMEM);
    if (const int error = open_events(services, handle, subsystems, events)) {
        state.guard().release(memory);
        return push_failure(L, error);
    }
    handle.reserved = memory;
    handle.is_open = true;
    handle.conntrack = (subsystems & for_conntrack) != 0;
    handle.expect = (subsystems & for_expect) != 0;
    state.module_objects().handles++;
    return 1;
}

int close(lua_State* L) {
    CtHandle& handle = check_object<CtHandle>(L, 1);
    State& state = module_state(L);
    state.attachments().remove(L, &handle);
    handle.end(state);
    return 0;
}

int fd(lua_State* L) {
    push_int(L, check_object<CtHandle>(L, 1).events.fd());
    return 1;
}

int setblocking(lua_State* L) {
    check_object<CtHandle>(L, 1).blocking = lua_toboolean(L, 2) != 0;
    return push_first(L);
}

// The function is at index 2.
template <int place> void set_callback(lua_State* L, CtHandle& handle, unsigned kinds) {
    if (!(place == ct_callback ? handle.conntrack : handle.expect))
        bad_argument(L, 1, "register failure, handle not open for this subsystem");
    push_companion(L, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, place);
    lua_pop(L, 1);
    (place == ct_callback ? handle.ct_kinds : handle.exp_kinds) = kinds;
}

template <int place> int callback_register(lua_State* L) {
    CtHandle& handle = check_object<CtHandle>(L, 1);
    check_function(L, 2);
    set_callback<place>(L, handle, optional_word(L, 3, callback_words, NFCT_T_ALL));
    return push_first(L);
}

unsigned kind_of(const nlmsghdr* message) {
    switch (message->nlmsg_type & 0xFF) {
    case IPCTNL_MSG_CT_NEW: // of expectations the same
        return message->nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL) ? NFCT_T_NEW : NFCT_T_UPDATE;
    case IPCTNL_MSG_CT_DELETE:
        return NFCT_T_DESTROY;
    default:
        return NFCT_T_UNKNOWN;
    }
}

const char* word_of(unsigned kind) {
    if (kind == error_kind) return "error";
    for (const Word& word : event_words)
        if (word.value == kind && kind != 0) return word.name.data();
    return "unknown";
}

// Pushes the object of a message. False: it cannot be read.
bool push_event(lua_State* L, const nlmsghdr* message, bool conntrack) {
    if (conntrack) return nfct_nlmsg_parse(message, push_conntrack(L).ct) >= 0;
    return nfexp_nlmsg_parse(message, push_expectation(L).expect) >= 0;
}

// The verdict at the top, which it pops.
Verdict take_verdict(lua_State* L) {
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return Verdict::proceed;
    }
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "bad verdict (string expected, got %s)", luaL_typename(L, -1));
    const std::string_view given = as_text(check_string(L, -1));
    for (const Word& word : verdict_words) {
        if (word.name != given) continue;
        lua_pop(L, 1);
        return static_cast<Verdict>(word.value);
    }
    luaL_error(L, "bad verdict '%s'", given.data());
    __builtin_unreachable();
}

// Calls the callback that is at the top, with the object above it.
Verdict tell(lua_State* L, CtHandle& handle, unsigned kind) {
    lua_pushstring(L, word_of(kind));
    lua_insert(L, -2);
    handle.in_callback = true;
    const int status = call_back(module_state(L), L, 2, 1);
    handle.in_callback = false;
    if (status != 0) lua_error(L);
    return take_verdict(L);
}

// A copy of a message, since the handle may be closed or read anew while something is pushed.
using Message = std::vector<std::uint8_t>;

// One message of the kernel, whose memory it frees before the callback may do what it likes.
Verdict tell_message(lua_State* L, CtHandle& handle, Message& copy) {
    const auto* message = reinterpret_cast<const nlmsghdr*>(copy.data());
    const unsigned subsystem = message->nlmsg_type >> 8;
    const bool conntrack = subsystem == NFNL_SUBSYS_CTNETLINK;
    if (!conntrack && subsystem != NFNL_SUBSYS_CTNETLINK_EXP) return Verdict::proceed;
    const unsigned kind = kind_of(message);
    if ((kind & (conntrack ? handle.ct_kinds : handle.exp_kinds)) == 0) return Verdict::proceed;
    const int top = lua_gettop(L);
    push_companion(L, 1);
    lua_rawgeti(L, -1, conntrack ? ct_callback : exp_callback);
    Verdict verdict = Verdict::proceed;
    const bool good = push_event(L, message, conntrack);
    free_owned(copy);
    if (good && !handle.ended()) verdict = tell(L, handle, kind);
    lua_settop(L, top);
    return verdict;
}

// Events were lost: told to who wants to know of errors.
Verdict tell_overrun(lua_State* L, CtHandle& handle) {
    Verdict verdict = Verdict::proceed;
    const int top = lua_gettop(L);
    for (const bool conntrack : {true, false}) {
        const unsigned kinds = conntrack ? handle.ct_kinds : handle.exp_kinds;
        if ((kinds & error_kind) == 0 || handle.ended()) continue;
        push_companion(L, 1);
        lua_rawgeti(L, -1, conntrack ? ct_callback : exp_callback);
        lua_pushnil(L);
        verdict = std::max(verdict, tell(L, handle, error_kind));
        lua_settop(L, top);
    }
    return verdict;
}

// False: nothing is left of what was received.
bool take_message(CtHandle& handle, Message& copy) {
    const std::size_t left = handle.datagram.size() - handle.next;
    const std::uint8_t* const data = handle.datagram.data() + handle.next;
    const auto* message = reinterpret_cast<const nlmsghdr*>(data);
    if (left < sizeof *message || message->nlmsg_len < sizeof(nlmsghdr) + sizeof(nfgenmsg) ||
        message->nlmsg_len > left)
        return false;
    copy.assign(data, data + message->nlmsg_len);
    handle.next += std::min<std::size_t>(NLMSG_ALIGN(message->nlmsg_len), left);
    return true;
}

// 0 or an errno: EAGAIN if there is nothing.
int receive(CtHandle& handle) {
    if (handle.simulated) {
        handle.next = 0;
        handle.datagram.clear();
        return handle.simulated->receive(handle.datagram);
    }
    Bytes datagram;
    if (!handle.events) return EAGAIN;
    if (const int error = handle.events.receive(&datagram)) return error;
    handle.datagram.assign(datagram.begin(), datagram.end());
    handle.next = 0;
    return 0;
}

// Tells what has come, the handle is at index 1. Ends with a verdict but `proceed`, the end of the
// handle or an errno, after so many messages at the latest. Leaves the stack as it was.
Verdict tell_events(lua_State* L, CtHandle& handle, unsigned most, int* error) {
    if (handle.in_callback) luaL_error(L, "a callback of this %s is running", CtHandle::name);
    const bool attached = module_state(L).attachments().has(&handle);
    auto& message = push_owned<Message>(L);
    Verdict verdict = Verdict::proceed;
    for (unsigned told = 0; told < most && verdict == Verdict::proceed && !handle.ended();) {
        if (!take_message(handle, message)) {
            *error = receive(handle);
            if (*error != 0) break;
            continue;
        }
        told++;
        verdict = tell_message(L, handle, message);
        if (attached && !module_state(L).attachments().has(&handle)) break; // detached by it
    }
    lua_pop(L, 1);
    return verdict;
}

void count_loss(lua_State* L) {
    const std::uint64_t count = ++module_state(L).module_objects().lost_events;
    static thread_local log::RateLimit limit(1000);
    if (limit.allow())
        log::error("nfct: events were lost, they came too fast (%llu times by now)",
                   static_cast<unsigned long long>(count));
}

[[noreturn]] void interrupt(lua_State* L) {
    lua_pushliteral(L, "INTERRUPT");
    lua_error(L);
    __builtin_unreachable();
}

// The handle is at index 1.
int catch_events(lua_State* L) {
    State& state = module_state(L);
    CtHandle& handle = check_object<CtHandle>(L, 1);
    if (handle.ct_kinds == 0 && handle.exp_kinds == 0) bad_argument(L, 1, "no callback registered");
    if (!state.services().may_wait || state.running_call() != nullptr)
        luaL_error(L, "nfct.catch would block packets: use nfct.attach");
    constexpr unsigned between_looks = 64;
    lua_settop(L, 1);
    luaL_checkstack(L, 16, "nfct.catch");
    for (;;) {
        int error = 0;
        const Verdict verdict = tell_events(L, handle, between_looks, &error);
        if (verdict == Verdict::stop) return push_first(L);
        if (verdict == Verdict::failure) return push_failure(L, "callback failure", 0);
        check_object<CtHandle>(L, 1); // a callback may have closed it
        if (state.guard().interrupted()) interrupt(L);
        if (error == 0) continue;
        if (error == ENOBUFS) count_loss(L);
        if (error != EAGAIN || !handle.blocking || !handle.events) return push_failure(L, error);
        if (!wait_readable(state, handle.events.fd())) interrupt(L);
    }
}

int catch_all(lua_State* L) {
    check_object<CtHandle>(L, 1);
    return catch_events(L);
}

// The text of the original module and its code have the last two arguments in different order.
int loop(lua_State* L) {
    CtHandle& handle = check_object<CtHandle>(L, 1);
    const bool function_first = lua_isfunction(L, 2);
    if (!function_first) check_function(L, 3);
    lua_settop(L, 3);
    const unsigned kinds = optional_word(L, function_first ? 3 : 2, callback_words, NFCT_T_ALL);
    if (!function_first) {
        lua_pushvalue(L, 3);
        lua_replace(L, 2);
    }
    set_callback<ct_callback>(L, handle, kinds);
    return catch_events(L);
}

Attachments::Next serve(lua_State* L, unsigned most) {
    CtHandle& handle = *static_cast<CtHandle*>(lua_touserdata(L, 1));
    int error = 0;
    Verdict verdict = tell_events(L, handle, most, &error);
    if (error == ENOBUFS) {
        count_loss(L);
        verdict = tell_overrun(L, handle);
    }
    if (handle.ended() || verdict != Verdict::proceed) return Attachments::Next::goes;
    if (error == 0 || error == ENOBUFS) return Attachments::Next::more;
    return error == EAGAIN ? Attachments::Next::stays : Attachments::Next::goes;
}

int attach(lua_State* L) {
    CtHandle& handle = check_object<CtHandle>(L, 1);
    if (handle.ct_kinds == 0 && handle.exp_kinds == 0) bad_argument(L, 1, "no callback registered");
    Attachments& attachments = module_state(L).attachments();
    const bool nothing_comes = !handle.events && !handle.simulated;
    if (attachments.has(&handle) || nothing_comes) return push_first(L);
    if (attachments.full()) return push_failure(L, EMFILE);
    attachments.add(L, 1, handle.events.fd(), serve);
    return push_first(L);
}

int detach(lua_State* L) {
    CtHandle& handle = check_object<CtHandle>(L, 1);
    module_state(L).attachments().remove(L, &handle);
    return push_first(L);
}

constexpr ModuleFunction functions[] = {
    {"open", open},
    {"close", close},
    {"fini", close},
    {"fd", fd},
    {"setblocking", setblocking},
    {"ct_callback_register", callback_register<ct_callback>},
    {"exp_callback_register", callback_register<exp_callback>},
    {"catch", catch_all},
    {"loop", loop},
    {"attach", attach},
    {"detach", detach},
};

} // namespace

void CtHandle::end(State& state) {
    if (ended()) return;
    is_open = false;
    events.close();
    simulated.reset();
    datagram = {};
    next = 0;
    state.module_objects().handles--;
    state.guard().release(reserved);
    reserved = 0;
}

int handle_text(lua_State* L) {
    const CtHandle& handle = check_kind<CtHandle>(L, 1);
    if (handle.ended())
        lua_pushfstring(L, "%s: closed", CtHandle::name);
    else
        lua_pushfstring(L, "%s: %d", CtHandle::name, handle.events.fd());
    return 1;
}

std::span<const ModuleFunction> handle_functions() {
    return functions;
}

} // namespace nfqws2::lua

#endif
