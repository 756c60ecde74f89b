// Questions to the kernel, answered at once: netlink handles a request before send() returns, and
// goes on with a dump whenever its answer is read. So nothing here ever waits.
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

// A socket for every question: one whose answer an error has cut short would mix with the next.
int ask(CtHandle& handle, nlmsghdr* message) {
    handle.queries.close();
    if (!handle.events) return EOPNOTSUPP; // there is no kernel
    if (const int error = handle.queries.open(0)) return error;
    return handle.queries.send(message);
}

using Told = bool (*)(lua_State* L, const nlmsghdr* message, void* data);

// The answers, each of them told, up to the end. `told` says no: the rest is not wanted.
int read_answers(lua_State* L, CtHandle& handle, Told told, void* data) {
    for (;;) {
        Bytes datagram;
        if (const int error = handle.queries.receive(&datagram)) return error;
        int left = static_cast<int>(datagram.size());
        const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
        for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
            if (message->nlmsg_type == NLMSG_DONE) return 0;
            if (message->nlmsg_type == NLMSG_ERROR) {
                if (mnl_nlmsg_get_payload_len(message) < sizeof(nlmsgerr)) return EBADMSG;
                return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
            }
            if (mnl_nlmsg_get_payload_len(message) < sizeof(nfgenmsg)) continue;
            if (!told(L, message, data)) return ECANCELED;
            if (handle.ended()) luaL_error(L, "%s %s", CtHandle::name, CtHandle::gone);
        }
    }
}

bool ignore(lua_State*, const nlmsghdr*, void*) {
    return true;
}

// Leaves the conntrack on the stack.
bool keep(lua_State* L, const nlmsghdr* message, void* data) {
    *static_cast<bool*>(data) = nfct_nlmsg_parse(message, push_conntrack(L).ct) >= 0;
    return true;
}

// Of a dump without a function: the array is at index 1.
bool append(lua_State* L, const nlmsghdr* message, void* data) {
    auto& count = *static_cast<unsigned*>(data);
    if (count == most_entries) return false;
    if (nfct_nlmsg_parse(message, push_conntrack(L).ct) >= 0)
        lua_rawseti(L, 1, static_cast<int>(++count));
    else
        lua_pop(L, 1);
    return true;
}

// The function is at index 1.
bool call_with(lua_State* L, const nlmsghdr* message, void* data) {
    auto& handle = *static_cast<CtHandle*>(data);
    lua_pushvalue(L, 1);
    if (nfct_nlmsg_parse(message, push_conntrack(L).ct) < 0) {
        lua_pop(L, 2);
        return true;
    }
    handle.in_callback = true;
    const int status = call_back(module_state(L), L, 1, 0);
    handle.in_callback = false;
    if (status != 0) lua_error(L);
    return true;
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
    if (const int error = ask(handle, message)) return push_failure(L, error);
    lua_settop(L, 4);
    lua_pushvalue(L, 1); // stays alive
    if (calls)
        lua_pushvalue(L, 4);
    else
        lua_newtable(L);
    lua_replace(L, 1);
    unsigned count = 0;
    const int error = calls ? read_answers(L, handle, call_with, &handle)
                            : read_answers(L, handle, append, &count);
    if (error == ECANCELED) return push_failure(L, "too many entries", E2BIG);
    if (error != 0) return push_failure(L, error);
    lua_pushvalue(L, calls ? 5 : 1);
    return 1;
}

int flush(lua_State* L, CtHandle& handle, const Request& request) {
    const unsigned family = optional_word(L, 3, table_words, AF_UNSPEC);
    alignas(nlmsghdr) char buffer[request_size];
    nlmsghdr* message = begin_request(buffer, NFNL_SUBSYS_CTNETLINK, request, family);
    int error = ask(handle, message);
    if (error == 0) error = read_answers(L, handle, ignore, nullptr);
    return first_or_failure(L, error);
}

int ask_of_one(lua_State* L, CtHandle& handle, const Request& request, bool wants_answer) {
    const nf_conntrack* ct = check_object<Conntrack>(L, 3).ct;
    alignas(nlmsghdr) char buffer[request_size];
    nlmsghdr* message = begin_request(buffer, NFNL_SUBSYS_CTNETLINK, request, family_of(ct));
    if (handle.events && nfct_nlmsg_build(message, ct) < 0) return push_failure(L, EINVAL);
    if (const int error = ask(handle, message)) return push_failure(L, error);
    if (!wants_answer) return first_or_failure(L, read_answers(L, handle, ignore, nullptr));
    bool good = false;
    const int error = read_answers(L, handle, keep, &good);
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
    if (handle.events && nfexp_nlmsg_build(message, expect) < 0) return push_failure(L, EINVAL);
    int error = ask(handle, message);
    if (error == 0) error = read_answers(L, handle, ignore, nullptr);
    return first_or_failure(L, error);
}

constexpr ModuleFunction functions[] = {{"query", query}, {"exp_query", exp_query}};

} // namespace

std::span<const ModuleFunction> query_functions() {
    return functions;
}

} // namespace nfqws2::lua

#endif
