// Questions to the kernel, answered at once: netlink handles a request before send() returns, and
// goes on with a dump whenever its answer is read. So nothing here ever waits. A question has a
// socket of its own: finalizers of scripts may ask while its answer is read.
#if NFQWS2_HAVE_NFCT

#include "api/arguments.hpp"
#include "nfct/objects.hpp"

#include <cerrno>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>

namespace nfqws2::lua {
namespace {

constexpr std::size_t request_size = 8192; // far above what an object can hold
constexpr unsigned most_entries = 65536;

constexpr Word query_words[] = {
    {"create", NFCT_Q_CREATE},         {"update", NFCT_Q_UPDATE},
    {"destroy", NFCT_Q_DESTROY},       {"get", NFCT_Q_GET},
    {"flush", NFCT_Q_FLUSH},           {"dump", NFCT_Q_DUMP},
    {"dump-reset", NFCT_Q_DUMP_RESET}, {"create-update", NFCT_Q_CREATE_UPDATE}};
constexpr Word table_words[] = {{"inet", AF_INET}, {"inet6", AF_INET6}};

struct Request {
    std::uint16_t type, flags;
};

Request request_of(unsigned query) {
    constexpr std::uint16_t ack = NLM_F_ACK;
    switch (query) {
    case NFCT_Q_CREATE:
        return {IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL | ack};
    case NFCT_Q_CREATE_UPDATE:
        return {IPCTNL_MSG_CT_NEW, NLM_F_CREATE | ack};
    case NFCT_Q_UPDATE:
        return {IPCTNL_MSG_CT_NEW, ack};
    case NFCT_Q_DESTROY:
    case NFCT_Q_FLUSH:
        return {IPCTNL_MSG_CT_DELETE, ack};
    case NFCT_Q_GET:
        return {IPCTNL_MSG_CT_GET, ack};
    case NFCT_Q_DUMP_RESET:
        return {IPCTNL_MSG_CT_GET_CTRZERO, NLM_F_DUMP};
    default:
        return {IPCTNL_MSG_CT_GET, NLM_F_DUMP};
    }
}

nlmsghdr* begin_request(void* buffer, unsigned subsystem, const Request& what, unsigned family) {
    nlmsghdr* message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = static_cast<std::uint16_t>(subsystem << 8 | what.type);
    message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | what.flags);
    auto* generic = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
    generic->nfgen_family = static_cast<std::uint8_t>(family);
    generic->version = NFNETLINK_V0;
    generic->res_id = 0;
    return message;
}

unsigned family_of(const nf_conntrack* ct) {
    const bool original = nfct_attr_is_set(ct, ATTR_ORIG_L3PROTO) > 0;
    return nfct_get_attr_u8(ct, original ? ATTR_ORIG_L3PROTO : ATTR_REPL_L3PROTO);
}

// 0, an errno or `raised`: the error is at the top of the stack.
using Told = int (*)(lua_State* L, const nlmsghdr* message, void* data);
constexpr int raised = -1;

int raise_closed(lua_State* L) {
    lua_pushfstring(L, "%s %s", CtHandle::name, CtHandle::gone);
    return raised;
}

// Messages of an answer, each of them told, up to its end or what `told` says but 0; `more`: the
// end is not among them.
constexpr int more = -2;
int read_datagram(lua_State* L, const CtHandle& handle, Bytes datagram, Told told, void* data) {
    int left = static_cast<int>(datagram.size());
    const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
        if (message->nlmsg_type == NLMSG_DONE) return 0;
        if (message->nlmsg_type == NLMSG_ERROR) {
            if (mnl_nlmsg_get_payload_len(message) < sizeof(nlmsgerr)) return EBADMSG;
            return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
        }
        if (mnl_nlmsg_get_payload_len(message) < sizeof(nfgenmsg)) continue;
        if (const int end = told(L, message, data)) return end;
        if (handle.ended()) return raise_closed(L);
    }
    return more;
}

int read_answers(lua_State* L, const CtHandle& handle, capture::NetfilterSocket& socket, Told told,
                 void* data) {
    for (;;) {
        Bytes datagram;
        if (const int error = socket.receive(&datagram)) return error;
        const int end = read_datagram(L, handle, datagram, told, data);
        if (end != more) return end;
    }
}

// All answers are there before the first is told: a callback may change the table.
int ask_simulated(lua_State* L, CtHandle& handle, const nlmsghdr* message, Told told, void* data) {
    auto& answers = push_owned<std::vector<SimulatedTable::Message>>(L);
    if (handle.ended()) return raise_closed(L); // by a finalizer of the script
    handle.simulated->ask(message, answers);
    int end = more;
    for (std::size_t i = 0; i < answers.size() && end == more; i++)
        end = read_datagram(L, handle, answers[i], told, data);
    answers = {};
    return end;
}

// What `told` leaves on the stack is at the top.
int ask(lua_State* L, CtHandle& handle, nlmsghdr* message, Told told, void* data) {
    if (handle.simulated) {
        const int error = ask_simulated(L, handle, message, told, data);
        if (error == raised) lua_error(L);
        return error;
    }
    auto& socket = push_owned<capture::NetfilterSocket>(L);
    int error = EOPNOTSUPP; // there is no kernel
    if (handle.events) error = socket.open(0);
    if (error == 0) error = socket.send(message);
    if (error == 0) error = read_answers(L, handle, socket, told, data);
    socket = {}; // the collector would take its time
    if (error == raised) lua_error(L);
    return error;
}

int ignore(lua_State*, const nlmsghdr*, void*) {
    return 0;
}

// Leaves the conntrack on the stack.
int keep(lua_State* L, const nlmsghdr* message, void* data) {
    *static_cast<bool*>(data) = nfct_nlmsg_parse(message, push_conntrack(L).ct) >= 0;
    return 0;
}

// Of a dump without a function: the array is at index 1.
int append(lua_State* L, const nlmsghdr* message, void* data) {
    auto& count = *static_cast<unsigned*>(data);
    if (count == most_entries) return ECANCELED;
    if (nfct_nlmsg_parse(message, push_conntrack(L).ct) >= 0)
        lua_rawseti(L, 1, static_cast<int>(++count));
    else
        lua_pop(L, 1);
    return 0;
}

// The function is at index 1.
int call_with(lua_State* L, const nlmsghdr* message, void* data) {
    auto& handle = *static_cast<CtHandle*>(data);
    lua_pushvalue(L, 1);
    if (nfct_nlmsg_parse(message, push_conntrack(L).ct) < 0) {
        lua_pop(L, 2);
        return 0;
    }
    handle.in_callback = true;
    const int status = call_back(module_state(L), L, 1, 0);
    handle.in_callback = false;
    return status == 0 ? 0 : raised;
}

int first_or_failure(lua_State* L, int error) {
    return error == 0 ? push_first(L) : push_failure(L, error);
}

// "inet", "inet6" or nil is at index 3, a function may be at 4.
int dump(lua_State* L, CtHandle& handle, const Request& request) {
    const unsigned family = optional_word(L, 3, table_words, AF_UNSPEC);
    const bool calls = !lua_isnoneornil(L, 4);
    if (calls) check_function(L, 4);
    alignas(nlmsghdr) char buffer[request_size];
    nlmsghdr* message = begin_request(buffer, NFNL_SUBSYS_CTNETLINK, request, family);
    lua_settop(L, 4);
    lua_pushvalue(L, 1); // stays alive
    if (calls)
        lua_pushvalue(L, 4);
    else
        lua_newtable(L);
    lua_replace(L, 1);
    unsigned count = 0;
    const int error = calls ? ask(L, handle, message, call_with, &handle)
                            : ask(L, handle, message, append, &count);
    if (error == ECANCELED) return push_failure(L, "too many entries", E2BIG);
    if (error != 0) return push_failure(L, error);
    lua_pushvalue(L, calls ? 5 : 1);
    return 1;
}

int flush(lua_State* L, CtHandle& handle, const Request& request) {
    const unsigned family = optional_word(L, 3, table_words, AF_UNSPEC);
    alignas(nlmsghdr) char buffer[request_size];
    nlmsghdr* message = begin_request(buffer, NFNL_SUBSYS_CTNETLINK, request, family);
    return first_or_failure(L, ask(L, handle, message, ignore, nullptr));
}

// Whether there is anybody to ask.
bool has_table(const CtHandle& handle) {
    return handle.events || handle.simulated;
}

int ask_of_one(lua_State* L, CtHandle& handle, const Request& request, bool wants_answer) {
    const nf_conntrack* ct = check_object<Conntrack>(L, 3).ct;
    alignas(nlmsghdr) char buffer[request_size];
    nlmsghdr* message = begin_request(buffer, NFNL_SUBSYS_CTNETLINK, request, family_of(ct));
    if (has_table(handle) && nfct_nlmsg_build(message, ct) < 0) return push_failure(L, EINVAL);
    if (!wants_answer) return first_or_failure(L, ask(L, handle, message, ignore, nullptr));
    bool good = false;
    const int error = ask(L, handle, message, keep, &good);
    return good && error == 0 ? 1 : push_failure(L, error != 0 ? error : EBADMSG);
}

CtHandle& check_idle_handle(lua_State* L) {
    CtHandle& handle = check_object<CtHandle>(L, 1);
    if (handle.in_callback) luaL_error(L, "a callback of this %s is running", CtHandle::name);
    return handle;
}

int query(lua_State* L) {
    check_object<CtHandle>(L, 1);
    const unsigned what = check_word(L, 2, query_words);
    CtHandle& handle = check_idle_handle(L);
    const Request request = request_of(what);
    if (what == NFCT_Q_DUMP || what == NFCT_Q_DUMP_RESET) return dump(L, handle, request);
    if (what == NFCT_Q_FLUSH) return flush(L, handle, request);
    return ask_of_one(L, handle, request, what == NFCT_Q_GET);
}

int exp_query(lua_State* L) {
    check_object<CtHandle>(L, 1);
    const unsigned what = check_word(L, 2, query_words);
    if (what != NFCT_Q_CREATE && what != NFCT_Q_DESTROY)
        bad_argument(L, 2, "unsupported query type");
    const nf_expect* expect = check_object<Expectation>(L, 3).expect;
    CtHandle& handle = check_idle_handle(L);
    // The head of a conntrack, which the attributes of its tuple are read from.
    const auto* expected =
        static_cast<const nf_conntrack*>(nfexp_get_attr(expect, ATTR_EXP_EXPECTED));
    alignas(nlmsghdr) char buffer[request_size];
    nlmsghdr* message = begin_request(buffer, NFNL_SUBSYS_CTNETLINK_EXP, request_of(what),
                                      expected != nullptr ? family_of(expected) : AF_INET);
    if (has_table(handle) && nfexp_nlmsg_build(message, expect) < 0) return push_failure(L, EINVAL);
    return first_or_failure(L, ask(L, handle, message, ignore, nullptr));
}

constexpr ModuleFunction functions[] = {{"query", query}, {"exp_query", exp_query}};

} // namespace

std::span<const ModuleFunction> query_functions() {
    return functions;
}

} // namespace nfqws2::lua

#endif
