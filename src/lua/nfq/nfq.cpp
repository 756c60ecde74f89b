#include "nfq/nfq.hpp"

#include "api/arguments.hpp"
#include "nfq/objects.hpp"
#include "nfqws2/lua/attachments.hpp"
#include "nfqws2/lua/connections.hpp"
#include "table/push_connection.hpp"

#include <cerrno>
#include <type_traits>

namespace nfqws2::lua {
namespace {

using capture::CopyMode;
using Next = capture::QueueHandle::Next;

constexpr unsigned most_handles = 64;

constexpr Word copy_words[] = {{"none", static_cast<unsigned>(CopyMode::none)},
                               {"meta", static_cast<unsigned>(CopyMode::meta)},
                               {"packet", static_cast<unsigned>(CopyMode::packet)}};

int first_or_failure(lua_State* L, int error) {
    return error == 0 ? push_first(L) : push_failure(L, error);
}

std::uint16_t check_u16(lua_State* L, int index) {
    const std::uint64_t value = check_number(L, index);
    if (value > UINT16_MAX) luaL_error(L, "out of range");
    return static_cast<std::uint16_t>(value);
}

// Pushes the handle, or false.
bool make_handle(lua_State* L, int* error) {
    State& state = module_state(L);
    QueueHandle& object = push_object<QueueHandle>(L);
    lua_createtable(L, 1, 0);
    set_companion(L, -2);
    if (state.module_objects().handles >= most_handles) {
        *error = EMFILE;
        return false;
    }
    if (!state.guard().reserve(QueueHandle::memory)) {
        *error = ENOMEM;
        return false;
    }
    object.handle = state.services().queues->open(error);
    if (object.ended()) {
        state.guard().release(QueueHandle::memory);
        return false;
    }
    state.module_objects().handles++;
    return true;
}

// Nothing on the stack if handles may be had, else the failure.
int refuse(lua_State* L) {
    const Services& services = module_state(L).services();
    if (!services.offline && !services.kernel.queue)
        return push_failure(L, "not allowed: --lua-allow=queue", EPERM);
    return services.queues == nullptr ? push_failure(L, EOPNOTSUPP) : 0;
}

int open(lua_State* L) {
    if (const int failure = refuse(L)) return failure;
    int error = 0;
    return make_handle(L, &error) ? 1 : push_failure(L, error);
}

void end_handle(lua_State* L, QueueHandle& handle) {
    State& state = module_state(L);
    state.attachments().remove(L, &handle);
    handle.end(state);
}

int close(lua_State* L) {
    end_handle(L, check_object<QueueHandle>(L, 1));
    return 0;
}

int fd(lua_State* L) {
    push_int(L, check_object<QueueHandle>(L, 1).handle->fd());
    return 1;
}

int setblocking(lua_State* L) {
    check_object<QueueHandle>(L, 1).blocking = lua_toboolean(L, 2) != 0;
    return push_first(L);
}

template <bool bind> int bind_family(lua_State* L) {
    const QueueHandle& handle = check_object<QueueHandle>(L, 1);
    const unsigned family = check_word(L, 2, family_words());
    return first_or_failure(L,
                            handle.handle->bind_family(static_cast<std::uint16_t>(family), bind));
}

// Pushes the queue; else an errno.
int make_queue(lua_State* L, int index, std::uint16_t number) {
    Queue& queue = push_object<Queue>(L);
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, 1); // keeps it alive
    set_companion(L, -2);
    // Now only: a finalizer of the script may have closed it.
    QueueHandle& handle = check_object<QueueHandle>(L, index);
    if (handle.queues >= QueueHandle::most_queues) return EMFILE;
    Guard& guard = module_state(L).guard();
    if (!guard.reserve(QueueHandle::memory_of_queue)) return ENOMEM;
    if (const int error = handle.handle->create(number)) {
        guard.release(QueueHandle::memory_of_queue);
        return error;
    }
    handle.queues++;
    queue.owner = &handle;
    queue.number = number;
    return 0;
}

int create_queue(lua_State* L) {
    check_object<QueueHandle>(L, 1);
    const int error = make_queue(L, 1, check_u16(L, 2));
    return error == 0 ? 1 : push_failure(L, error);
}

int destroy_queue(lua_State* L) {
    Queue& queue = check_object<Queue>(L, 1);
    queue.owner->handle->destroy(queue.number);
    queue.owner->queues--;
    queue.owner = nullptr;
    module_state(L).guard().release(QueueHandle::memory_of_queue);
    return 0;
}

int set_mode(lua_State* L) {
    const Queue& queue = check_object<Queue>(L, 1);
    const unsigned mode = optional_word(L, 2, copy_words, static_cast<unsigned>(CopyMode::packet));
    const std::uint16_t range = lua_isnoneornil(L, 3) ? UINT16_MAX : check_u16(L, 3);
    return first_or_failure(
        L, queue.owner->handle->set_mode(queue.number, static_cast<CopyMode>(mode), range));
}

// Within a desync function packets would wait for packets.
void must_not_block(lua_State* L) {
    const State& state = module_state(L);
    if (!state.services().may_wait || state.running_call() != nullptr)
        luaL_error(L, "nfq.catch would block packets: use nfq.attach");
}

int catch_all(lua_State* L) {
    check_object<QueueHandle>(L, 1);
    check_function(L, 2);
    must_not_block(L);
    lua_settop(L, 2);
    return catch_packets(L);
}

// The handle is at index 1, the function at 2, the mode at 3. Closes the handle in any case.
int run_loop(lua_State* L) {
    QueueHandle& handle = check_object<QueueHandle>(L, 1);
    const auto mode = static_cast<CopyMode>(lua_tointeger(L, 3));
    lua_settop(L, 2);
    for (const bool bind : {false, true})
        if (const int error = handle.handle->bind_family(2, bind)) return push_failure(L, error);
    if (const int error = make_queue(L, 1, 0)) return push_failure(L, error);
    if (const int error = handle.handle->set_mode(0, mode, UINT16_MAX))
        return push_failure(L, error);
    return catch_packets(L);
}

int loop(lua_State* L) {
    check_function(L, 1);
    const unsigned mode = optional_word(L, 2, copy_words, static_cast<unsigned>(CopyMode::packet));
    must_not_block(L);
    if (const int failure = refuse(L)) return failure;
    lua_settop(L, 1);
    int error = 0;
    if (!make_handle(L, &error)) return push_failure(L, error);
    push_module_function(L, module_state(L), {"loop", run_loop});
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    push_int(L, mode);
    const int status = lua_pcall(L, 3, LUA_MULTRET, 0);
    end_handle(L, *static_cast<QueueHandle*>(lua_touserdata(L, 2)));
    return status == 0 ? lua_gettop(L) - 2 : lua_error(L);
}

const capture::QueuedPacket& check_packet(lua_State* L) {
    return *check_object<QueueData>(L, 1).packet;
}

int get_payload(lua_State* L) {
    push(L, check_packet(L).input.data);
    return 1;
}

int get_meta(lua_State* L) {
    const capture::QueuedPacket& packet = check_packet(L);
    lua_createtable(L, 0, 9);
    set_int(L, "id", packet.input.id);
    set_int(L, "queue", packet.queue);
    set_int(L, "hook", packet.hook);
    set_int(L, "mark", packet.input.mark);
    if (packet.length != 0) set_int(L, "len", packet.length); // not told with "meta"
    if (!packet.input.ifin.empty()) set_text(L, "ifin", packet.input.ifin);
    if (!packet.input.ifout.empty()) set_text(L, "ifout", packet.input.ifout);
    if (!packet.hardware_address.empty()) set_text(L, "hwaddr", as_text(packet.hardware_address));
    if (Connections* const connections = module_state(L).services().ct) {
        // A finalizer that runs meanwhile may be shown another packet.
        const packet::CtFacts facts = connections->facts();
        static_assert(std::is_trivially_destructible_v<packet::CtFacts>); // over errors of Lua
        push_facts(L, facts);
        lua_setfield(L, -2, "ct");
    }
    return 1;
}

Attachments::Next serve(lua_State* L, unsigned most) {
    QueueHandle& handle = *static_cast<QueueHandle*>(lua_touserdata(L, 1));
    const Next next = serve_queues(L, handle, attached_function, most);
    if (next == Next::packet) return Attachments::Next::more;
    return next == Next::nothing ? Attachments::Next::stays : Attachments::Next::goes;
}

int attach(lua_State* L) {
    QueueHandle& handle = check_object<QueueHandle>(L, 1);
    check_function(L, 2);
    Attachments& attachments = module_state(L).attachments();
    const bool again = attachments.has(&handle);
    if (!again && attachments.full()) return push_failure(L, EMFILE);
    push_companion(L, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, 1);
    if (!again) attachments.add(L, 1, handle.handle->fd(), serve);
    return push_first(L);
}

int detach(lua_State* L) {
    QueueHandle& handle = check_object<QueueHandle>(L, 1);
    module_state(L).attachments().remove(L, &handle);
    handle.handle->flush();
    return push_first(L);
}

int handle_text(lua_State* L) {
    const QueueHandle& handle = check_kind<QueueHandle>(L, 1);
    if (handle.ended())
        lua_pushliteral(L, "qhandle: closed");
    else
        lua_pushfstring(L, "qhandle: %d", handle.handle->fd());
    return 1;
}

int queue_text(lua_State* L) {
    const Queue& queue = check_kind<Queue>(L, 1);
    if (queue.ended())
        lua_pushliteral(L, "queue: destroyed");
    else
        lua_pushfstring(L, "queue: %d", static_cast<int>(queue.number));
    return 1;
}

int data_text(lua_State* L) {
    const QueueData& data = check_kind<QueueData>(L, 1);
    if (data.ended())
        lua_pushliteral(L, "qdata: not valid any more");
    else
        lua_pushfstring(L, "qdata: %d bytes", static_cast<int>(data.packet->length));
    return 1;
}

constexpr ModuleFunction functions[] = {
    {"open", open},
    {"close", close},
    {"fd", fd},
    {"setblocking", setblocking},
    {"unbind_pf", bind_family<false>},
    {"bind_pf", bind_family<true>},
    {"create_queue", create_queue},
    {"destroy_queue", destroy_queue},
    {"set_mode", set_mode},
    {"catch", catch_all},
    {"loop", loop},
    {"get_payload", get_payload},
    {"get_meta", get_meta},
    {"attach", attach},
    {"detach", detach},
};

} // namespace

int open_nfq(lua_State* L) {
    State& state = module_state(L);
    make_kind<QueueHandle>(L, state, handle_text);
    make_kind<Queue>(L, state, queue_text);
    make_kind<QueueData>(L, state, data_text);
    lua_newtable(L);
    add_functions(L, state, functions);
    lua_pushvalue(L, -1);
    lua_setglobal(L, "nfq");
    return 1;
}

} // namespace nfqws2::lua
