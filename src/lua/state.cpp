#include "nfqws2/lua/state.hpp"

#include "api/functions.hpp"
#include "errors.hpp"
#include "flow_states.hpp"
#include "guard/collector.hpp"
#include "guard/shed.hpp"
#include "nflua/host.hpp"
#include "nfqws2/base/file.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/lua/attachments.hpp"
#include "nfqws2/protocol/blobs.hpp"
#include "packet_scratch.hpp"
#include "restrict/guard_files.hpp"
#include "restrict/restrict.hpp"
#include "seeded_math.hpp"
#include "table/desync_table.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace nfqws2::lua {

namespace {

// A collection begins when the heap has grown to so many per cent of what the last one left. A
// small heap may grow more, for a sixth less work on every packet; a large one keeps the usual
// value.
constexpr int small_heap_pause = 400, large_heap_pause = 200, large_heap_kb = 4096;
constexpr unsigned small_part = 16; // of the memory limit

#if LUA_VERSION_NUM >= 504
void warn(void* data, const char* text, int to_be_continued) {
    auto& pending = *static_cast<std::string*>(data);
    pending += text;
    if (to_be_continued) return;
    log::status("LUA WARNING: %s", pending.c_str());
    pending.clear();
}
#endif

#ifdef LUA_JITLIBNAME
// Of an error in a finalizer. A request to quit is no error of a script.
int log_finalizer_error(lua_State* L) {
    lua_settop(L, 1);
    const Guard* const guard = Guard::current();
    if (guard == nullptr || !guard->interrupted()) log_lua_error(L, "a finalizer");
    return 0;
}

// Newer engines do not raise these errors: they tell a handler, and the one there is writes to
// stderr, which a daemon has not. An older engine never calls ours, one without events refuses it.
void take_finalizer_errors(lua_State* L) {
    lua_getglobal(L, "jit");
    lua_getfield(L, -1, "attach");
    lua_pushcfunction(L, log_finalizer_error);
    lua_pushliteral(L, "errfin");
    lua_pcall(L, 2, 0, 0);
}
#endif

void set_global(lua_State* L, const char* name, std::string_view value) {
    if (log::debug_enabled())
        log::debug("LUA STR: %s = '%.*s'", name, static_cast<int>(value.size()), value.data());
    push(L, value);
    lua_setglobal(L, name);
}

void set_global(lua_State* L, const char* name, double value) {
    if (log::debug_enabled()) log::debug("LUA NUMERIC: %s = %.0f", name, value);
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, static_cast<lua_Integer>(value));
#else
    lua_pushnumber(L, value);
#endif
    lua_setglobal(L, name);
}

void set_global(lua_State* L, const char* name, bool value) {
    if (log::debug_enabled()) log::debug("LUA BOOL: %s = %s", name, value ? "true" : "false");
    lua_pushboolean(L, value);
    lua_setglobal(L, name);
}

void set_blob(lua_State* L, const char* name, Bytes data) {
    if (log::debug_enabled()) log::debug("LUA BLOB: %s (size=%zu)", name, data.size());
    push(L, data);
    lua_setglobal(L, name);
}

void report_engine(lua_State* L) {
    lua_getglobal(L, "_VERSION"); // "Lua 5.1"
    const char* full = lua_tostring(L, -1);
    std::string version = full != nullptr ? full : "?";
    if (version.rfind("Lua ", 0) == 0) version.erase(0, 4);
    lua_pop(L, 1);

    lua_getglobal(L, "jit");
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        log::status("LUA v%s", version.c_str());
        return;
    }
    lua_getfield(L, -1, "version");
    log::status("LUA v%s %s", version.c_str(), lua_tostring(L, -1));
    lua_pop(L, 1);
    lua_getfield(L, -1, "status");
    const int before = lua_gettop(L) - 1;
    std::string flags;
    if (lua_pcall(L, 0, LUA_MULTRET, 0) == 0) {
        flags = lua_toboolean(L, before + 1) ? "ON" : "OFF";
        for (int i = before + 2; i <= lua_gettop(L); i++) {
            const char* flag = lua_tostring(L, i);
            if (flag != nullptr) flags.append(" ").append(flag);
        }
    }
    log::status("JIT: %s", flags.c_str());
    lua_settop(L, before - 1);
}

void push_unix_time(lua_State* L) {
    const std::int64_t now = state_of(L).services().clock.unix_s();
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, static_cast<lua_Integer>(now));
#else
    lua_pushnumber(L, static_cast<lua_Number>(now));
#endif
}

// os.time() and os.date() without a time follow the process's clock, which is the capture's in
// offline mode. Upvalues: the State, the original function.
int clock_time(lua_State* L) {
    if (!lua_isnoneornil(L, 1)) {
        lua_settop(L, 1);
        lua_pushvalue(L, lua_upvalueindex(2));
        lua_insert(L, 1);
        lua_call(L, 1, 1);
        return 1;
    }
    push_unix_time(L);
    return 1;
}

int clock_date(lua_State* L) {
    lua_settop(L, 2);
    if (lua_isnil(L, 1)) {
        lua_pushliteral(L, "%c");
        lua_replace(L, 1);
    }
    if (lua_isnil(L, 2)) {
        push_unix_time(L);
        lua_replace(L, 2);
    }
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_insert(L, 1);
    lua_call(L, 2, 1);
    return 1;
}

// A number, also as a text. What an engine takes that is not whole, it rounds.
std::optional<int> whole_number(lua_State* L, int index) {
#if LUA_VERSION_NUM >= 503
    int exact = 0;
    const lua_Integer number = lua_tointegerx(L, index, &exact);
    if (exact == 0) return std::nullopt;
#else
    if (lua_isnumber(L, index) == 0) return std::nullopt;
    const lua_Integer number = lua_tointeger(L, index);
#endif
    return static_cast<int>(number);
}

// The code that os.exit() was given; nullopt: it is none.
std::optional<int> exit_code_of(lua_State* L) {
    switch (lua_type(L, 1)) {
    case LUA_TNONE:
    case LUA_TNIL:
        return EXIT_SUCCESS;
    case LUA_TBOOLEAN:
        return lua_toboolean(L, 1) != 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    default:
        return whole_number(L, 1);
    }
}

// What ends with the process is lost: so os.exit() ends a daemon as a signal does, and otherwise
// lets the packets pass that queues of the script hold. Upvalues: the State, the original function,
// which knows bad arguments.
int end_process(lua_State* L) {
    const std::optional<int> code = exit_code_of(L);
    const Services& services = state_of(L).services();
    if (code && services.end != nullptr && services.end->request(*code)) {
        state_of(L).guard().say_who_interrupts(*code, services.may_wait);
        return luaL_error(L, "INTERRUPT by os.exit(%d)", *code);
    }
    if (code && services.queues != nullptr) services.queues->release();
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 0);
    return 0;
}

bool load_file(lua_State* L, const std::string& path) {
    std::string opened = path;
    int why = 0;
    if (!can_read(opened, &why)) {
        opened = path + ".gz";
        if (!can_read(opened, &why)) {
            log::error("LUA file '%s' or '%s.gz' not accessible: %s", path.c_str(), path.c_str(),
                       std::strerror(why));
            return false;
        }
    }
    ReadResult raw = read_file(opened, longest_script);
    if (!raw.ok()) {
        log::error("LUA file '%s': %s", opened.c_str(), raw.error.c_str());
        return false;
    }
    std::string chunk = "@" + opened;
    if (is_gzip(raw.data)) {
        raw = gunzip(raw.data, longest_script);
        if (!raw.ok()) {
            log::error("could not unzip lua file '%s': %s", opened.c_str(), raw.error.c_str());
            return false;
        }
        chunk = opened; // shown as [string "path.gz"]
    }
    std::string_view source = without_byte_order_mark(as_text(raw.data));
    // A "#!" line is dropped but its newline stays, so that line numbers are right.
    if (source.starts_with("#")) source.remove_prefix(std::min(source.find('\n'), source.size()));
    if (log::debug_enabled()) log::debug("LUA RUN FILE: %s", opened.c_str());
    if (!load_text(L, source, chunk.c_str())) {
        log_lua_error(L, "");
        return false;
    }
    return true;
}

bool load_source(lua_State* L, const std::string& source) {
    if (log::debug_enabled()) log::debug("LUA RUN STR: %.127s", source.c_str());
    if (!load_text(L, source, source.c_str())) {
        log_lua_error(L, "");
        return false;
    }
    return true;
}

} // namespace

std::string syntax_error(const LuaInit& item) {
    lua_State* const L = luaL_newstate();
    if (L == nullptr) return "not enough memory";
    log::Diversion errors;
    std::string error;
    if (!(item.is_file ? load_file(L, item.text) : load_source(L, item.text))) {
        error = errors.take();
        if (error.empty()) error = "cannot be compiled";
    }
    lua_close(L);
    return error;
}

State::State(const Services& services, const Limits& limits)
    : services_(services), guard_(limits), flow_states_(std::make_unique<FlowStates>()),
      desync_table_(std::make_unique<DesyncTable>(*flow_states_, guard_.compiler())),
      scratch_(std::make_unique<PacketScratch>()),
      shedder_(std::make_unique<Shedder>(guard_, *flow_states_, services.connections)),
      attachments_(std::make_unique<Attachments>()), nflua_(std::make_unique<NfluaHost>()) {
}

State::~State() {
    if (L_ == nullptr) return;
    timers_.clear(L_);
    guard_.detach();
    lua_close(L_);
    guard_.leave();
}

bool State::open(std::vector<Blob> blobs, const Globals& globals, bool seeded) {
    L_ = luaL_newstate();
    if (L_ == nullptr) {
        log::error("LUA: not enough memory for the state");
        return false;
    }
    guard_.attach(L_);
    large_heap_kb_ = large_heap_kb;
    if (const std::size_t limit = guard_.ceiling(); limit != 0)
        large_heap_kb_ =
            static_cast<int>(std::min<std::size_t>(large_heap_kb, limit / small_part / 1024));
    guard_.on_shortage([this] { shedder_->shed(L_); });
    load_libraries(globals.worker == 0);
    push_message_handler(L_);
    set_globals(blobs, globals);
    blobs = {}; // scripts have copies of their own
    register_constants(L_);
    register_all(*this);
    wrap_os_functions();
    if (seeded) seed_math_library(*this);
    return true;
}

// The order counts: our builder needs the FFI, which is taken away with the rest.
void State::load_libraries(bool report) {
    lua_State* L = L_;
    lua_atpanic(L, panic);
    lua_gc(L, LUA_GCSETPAUSE, small_heap_pause);
    luaL_openlibs(L);
    if (report) report_engine(L);
#if LUA_VERSION_NUM >= 504
    lua_setwarnf(L, warn, &pending_warning_);
#endif
#ifdef LUA_JITLIBNAME
    take_finalizer_errors(L);
#endif
    lua_settop(L, 0);
    flow_states_->open(L);
    desync_table_->open(L);
    scratch_->reader.open(L, guard_.compiler());
    guard_files(L, services_.file_gate);
    restrict_libraries(L);
}

void State::set_globals(std::span<const Blob> blobs, const Globals& globals) {
    lua_State* L = L_;
    set_blob(L, "fake_default_tls", protocol::fake_default_tls());
    set_blob(L, "fake_default_http", protocol::fake_default_http());
    set_blob(L, "fake_default_quic", protocol::fake_default_quic());
    for (const Blob& blob : blobs)
        set_blob(L, blob.name.c_str(), blob.data);

    set_global(L, "NFQWS2_VER", globals.version);
    set_global(L, "NFQWS2_COMPAT_VER", 6.0);
    set_global(L, "qnum", static_cast<double>(globals.qnum));
    set_global(L, "desync_fwmark", static_cast<double>(services_.desync_fwmark));
    set_global(L, "b_debug", globals.debug);
    set_global(L, "b_daemon", globals.daemon);
    set_global(L, "b_server", globals.server);
    set_global(L, "b_ipcache_hostname", globals.ipcache_hostname);
    set_global(L, "b_ctrack_disable", globals.ctrack_disable);
    if (!globals.writable.empty()) {
        set_global(L, "WRITABLE", globals.writable);
        set_global(L, "WRITEABLE", globals.writable);
    }
}

void State::wrap_os_functions() {
    lua_State* L = L_;
    const struct {
        const char* name;
        lua_CFunction function;
    } functions[] = {{"time", clock_time}, {"date", clock_date}, {"exit", end_process}};
    lua_getglobal(L, "os");
    for (const auto& f : functions) {
        lua_pushlightuserdata(L, this);
        lua_getfield(L, -2, f.name);
        lua_pushcclosure(L, f.function, 2);
        lua_setfield(L, -2, f.name);
    }
    lua_pop(L, 1);
}

bool State::run_init(std::span<const LuaInit> items, const std::function<bool()>& stop,
                     std::optional<std::size_t>* failed) {
    for (std::size_t i = 0; i < items.size(); i++) {
        if (stop && stop()) return false;
        if (run_item(items[i])) continue;
        if (failed != nullptr) *failed = i;
        return false;
    }
    return !(stop && stop());
}

std::vector<std::pair<std::string, std::string>> State::globals() const {
    std::vector<std::pair<std::string, std::string>> result;
    lua_State* L = L_;
    // The table itself, not the variable _G: that may be gone, and a metatable raise an error.
    lua_pushglobaltable(L);
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        if (lua_type(L, -2) == LUA_TSTRING)
            result.emplace_back(lua_tostring(L, -2), luaL_typename(L, -1));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return result;
}

// Raw: the names are there, and a metatable of the globals has no say.
bool State::global_is(const std::string& name, const std::function<bool(Bytes)>& same) const {
    const CollectorRest rest(L_);
    lua_pushglobaltable(L_);
    push(L_, name);
    lua_rawget(L_, -2);
    std::size_t size = 0;
    const char* text = lua_type(L_, -1) == LUA_TSTRING ? lua_tolstring(L_, -1, &size) : nullptr;
    const bool result = text != nullptr && same(as_bytes(std::string_view(text, size)));
    lua_pop(L_, 2);
    return result;
}

bool State::load(const LuaInit& item) {
    const CollectorRest rest(L_);
    return item.is_file ? load_file(L_, item.text) : load_source(L_, item.text);
}

bool State::run_item(const LuaInit& item) {
    lua_State* L = L_;
    if (!load(item)) return false;
    guard_.enter_init("--lua-init");
    const GuardScope scope(guard_);
    // Whatever the chunk returns is ignored.
    in_init_ = true;
    const int status = lua_pcall(L, 0, 0, message_handler_index);
    in_init_ = false;
    if (status != 0) {
        log_lua_error(L, "--lua-init");
        return false;
    }
    return true;
}

std::string State::run_code(const std::string& name, const std::string& code) {
    lua_State* L = L_;
    lua_settop(L, message_handler_index);
    const std::string chunk = "=" + name, where = "code '" + name + "'";
    const bool good = [&] {
        const CollectorRest rest(L);
        return load_text(L, code, chunk.c_str());
    }();
    if (!good) return log_lua_error(L, where);
    // A line without an end gets an error of the limit then, where a compiled loop takes the
    // process along.
    Compiler::leave_out(L);
    guard_.enter_code(name);
    const GuardScope scope(guard_);
    return lua_pcall(L, 0, 0, message_handler_index) == 0 ? "" : log_lua_error(L, where);
}

std::optional<Learned> State::learned(const flow::Track& track) const {
    return L_ == nullptr ? std::nullopt : flow_states_->learned(L_, track);
}

bool State::wants_frames() const {
    return nflua_->enabled;
}

void State::forget(flow::Track& track) {
    flow_states_->drop(L_, track);
}

// Only a change of the size sets the pause: a script may have set its own.
void State::adapt_pause() {
    const bool large = lua_gc(L_, LUA_GCCOUNT, 0) > large_heap_kb_;
    if (large == large_heap_) return;
    large_heap_ = large;
    guard_.set_pause(large ? large_heap_pause : small_heap_pause);
}

void State::collect_garbage(unsigned period_s) {
    adapt_pause();
    if (period_s == 0) return;
    const std::int64_t now = services_.clock.boot_ms();
    if (now < next_gc_ms_) return;
    next_gc_ms_ = now + static_cast<std::int64_t>(period_s) * 1000;
    const int before = lua_gc(L_, LUA_GCCOUNT, 0);
    guard_.collect();
    if (log::debug_enabled())
        log::debug("LUA GARBAGE COLLECT: %dK => %dK", before, lua_gc(L_, LUA_GCCOUNT, 0));
}

} // namespace nfqws2::lua
