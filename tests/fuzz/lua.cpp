// Scripts generated from the input: calls of all native functions with arguments of every kind, in
// every order, inside and outside of a desync call and in timers. Errors are the functions' good
// right; nothing else may come of it. Run with -close_fd_mask=3: some functions print.
#include "doors.hpp"
#include "lua/desync_call.hpp"
#include "lua/errors.hpp"
#include "lua/restrict/restrict.hpp"

#include "nfqws2/base/text.hpp"
#include "nfqws2/lua/state.hpp"
#include "nfqws2/protocol/blobs.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace nfqws2;
using fuzz::NoDoor;
using fuzz::require;

constexpr unsigned variables = 16;

// What a script begins with: `v` keeps results, `keep` calls without failing.
constexpr const char* prologue = R"lua(
v = v or {}
local n = 0
local function keep(f, ...)
    local r = {pcall(f, ...)}
    for i = 2, math.min(#r, 4) do
        v[n % 16] = r[i]
        n = n + 1
    end
end
local function sample() return dissect(raw) end
local function angry() return setmetatable({}, {__index = function() error("no") end}) end
)lua";

// Left out: what only prints, collects or reads files, and what would replace our own globals.
constexpr std::array<std::string_view, 10> unused = {
    "print",  "collectgarbage", "dofile", "loadfile", "require",
    "module", "setfenv",        "keep",   "sample",   "rawset"};

constexpr std::array keys = {"ip",
                             "ip6",
                             "tcp",
                             "udp",
                             "icmp",
                             "payload",
                             "options",
                             "kind",
                             "data",
                             "th_flags",
                             "th_sport",
                             "th_dport",
                             "th_seq",
                             "th_ack",
                             "th_off",
                             "ip_v",
                             "ip_hl",
                             "ip_len",
                             "ip_id",
                             "ip_off",
                             "ip_ttl",
                             "ip_p",
                             "ip_src",
                             "ip_dst",
                             "ip6_flow",
                             "ip6_plen",
                             "ip6_nxt",
                             "ip6_hlim",
                             "ip6_src",
                             "ip6_dst",
                             "exthdr",
                             "type",
                             "next",
                             "uh_ulen",
                             "frag_off",
                             "l4proto",
                             "icmp_type",
                             "icmp_code",
                             "keepsum",
                             "badsum",
                             "fwmark",
                             "ifout",
                             "repeats",
                             "year",
                             "month",
                             "day",
                             "hour",
                             "min",
                             "sec",
                             "isdst",
                             "transport_len",
                             "ip6_preserve_next",
                             "ip6_last_proto"};

constexpr std::array words = {"\"host\"",
                              "\"midsld-1\"",
                              "\"1,host+1,endsld,-1\"",
                              "\"tls_client_hello\"",
                              "\"http_req\"",
                              "\"sni=a.b,rnd,dupsid,padencap\"",
                              "\"10.0.0.1\"",
                              "\"fe80::1\"",
                              "\"00ff\"",
                              "\"sha256\"",
                              "\"t\"",
                              "\"eth0\"",
                              "\"/\"",
                              "\"\""};

constexpr std::array numbers = {"65535", "65536", "4294967295", "4294967296", "-2147483649",
                                "2^53",  "-2^63", "1e308",      "0/0",        "1/0",
                                "0.5",   "255",   "1000"};

constexpr std::array makers = {"sample()",
                               "sample().tcp",
                               "sample().ip",
                               "sample().ip6",
                               "sample().udp",
                               "sample().icmp",
                               "raw",
                               "hello",
                               "angry()",
                               "ctx",
                               "gzip_init()",
                               "gunzip_init()",
                               "print",
                               "io.stdout",
                               "coroutine.create(angry)",
                               "execution_plan",
                               "function(...) v[1] = select('#', ...) end"};

// Calls that come far more often than chance would build them. % stands for any value, # for a key.
constexpr std::array calls = {
    "pcall(function() local d=sample() pcall(function() d.#=% d.#=% end) "
    "keep(reconstruct_dissect,d,%) end)",
    "pcall(function() local d=sample() pcall(function() d.tcp.#=% end) keep(rawsend_dissect,d,%,%) "
    "end)",
    "pcall(function() local d=sample() pcall(function() d.ip.#=% end) "
    "keep(reconstruct_dissect,d,%) end)",
    "pcall(function() local d=sample() pcall(function() d.ip6.#=% end) keep(conntrack_feed,d,%) "
    "end)",
    "pcall(function() local t=sample().tcp or {} t.#=% keep(reconstruct_tcphdr,t) "
    "keep(csum_tcp_fix,raw,%,%) end)",
    "pcall(function() local t=sample().ip6 or {} t.#=% keep(reconstruct_ip6hdr,t,%) end)",
    "pcall(function() local z=gzip_init(%,%) keep(gzip_deflate,z,%,%) keep(gzip_deflate,z) "
    "keep(gzip_end,z) "
    "keep(gzip_deflate,z,%) end)",
    "pcall(function() local z=gzip_init() local y=gunzip_init(%) local p=gzip_deflate(z,hello) or "
    "'' "
    "keep(gunzip_inflate,y,p..gzip_deflate(z),%) keep(gunzip_inflate,y,%) keep(gunzip_end,y) end)",
    "keep(resolve_pos,hello,'tls_client_hello',%,%)",
    "keep(resolve_multi_pos,hello,'tls_client_hello',%,%)",
    "keep(resolve_range,hello,'tls_client_hello',%,%,%)",
    "keep(tls_mod,hello,%,%)",
    "keep(tls_mod,%,'sni=a.b,rnd,dupsid,padencap',hello)",
    "keep(aes,%,string.rep('k',16),string.rep('d',16))",
    "keep(aes_gcm,true,string.rep('k',16),string.rep('i',12),%,%)",
    "keep(aes_ctr,string.rep('k',32),string.rep('i',16),%)",
    "keep(hkdf,'sha256',%,%,%,32)",
    "keep(hash,'sha256',%)",
    "keep(rawsend,raw,{#=%,#=%})",
    "keep(dissect,raw:sub(1,%),%)",
    "keep(timer_set,%,function() keep(timer_set,%,%,%,%) keep(timer_del,%) end,%,%,%)",
    "keep(bitset,%,%,%,%)",
    "keep(bxor,raw,string.rep('x',#raw))",
};

class Generator {
  public:
    Generator(Bytes input, const std::vector<std::string>& functions)
        : input_(input), functions_(functions) {}

    std::string script() {
        out_ = prologue;
        for (unsigned statements = 0; !input_.empty() && statements < 200; statements++)
            statement();
        return std::move(out_);
    }

  private:
    std::uint8_t u8() {
        if (input_.empty()) return 0;
        const std::uint8_t v = input_[0];
        input_ = input_.subspan(1);
        return v;
    }
    template <typename List> const auto& one_of(const List& list) {
        return list[u8() % list.size()];
    }

    std::string variable() { return "v[" + std::to_string(u8() % variables) + "]"; }

    void literal() {
        out_ += '"';
        for (unsigned left = u8() % 64; left > 0 && !input_.empty(); left--)
            out_ += format("\\%03u", static_cast<unsigned>(u8()));
        out_ += '"';
    }

    void table(unsigned depth) {
        out_ += '{';
        for (unsigned left = u8() % 5; left > 0; left--) {
            if (u8() % 2 == 0) out_ += std::string(one_of(keys)) + "=";
            value(depth + 1);
            out_ += ',';
        }
        out_ += '}';
    }

    void value(unsigned depth) {
        constexpr unsigned deepest = 4;
        switch (u8() % 13) {
        case 0:
            out_ += "nil";
            return;
        case 1:
            out_ += u8() % 2 != 0 ? "true" : "false";
            return;
        case 2:
            out_ += std::to_string(u8());
            return;
        case 3:
            out_ += "-" + std::to_string(u8());
            return;
        case 4:
            out_ += one_of(numbers);
            return;
        case 5:
            literal();
            return;
        case 6:
            out_ += "string.rep('x'," + std::to_string(u8() * 300U) + ")";
            return;
        case 7:
            out_ += one_of(words);
            return;
        case 8:
            out_ += one_of(makers);
            return;
        case 9:
        case 10:
            if (depth < deepest) return table(depth);
            [[fallthrough]];
        default:
            out_ += variable();
        }
    }

    // A change that fails (of something that is no table) must not end the script.
    void assignment() {
        const std::string target = variable();
        out_ += "pcall(function() " + target + "." + one_of(keys) + "=";
        value(0);
        out_ += " end)\n";
    }

    void known_call() {
        const std::string_view call = one_of(calls);
        for (std::size_t i = 0; i < call.size(); i++) {
            if (call[i] == '%')
                value(0);
            else if (call.substr(i, 2) == "#=")
                out_ += one_of(keys);
            else
                out_ += call[i];
        }
        out_ += '\n';
    }

    void statement() {
        const unsigned what = u8() % 10;
        if (what == 0) return assignment();
        if (what < 6) return known_call();
        if (what == 6) {
            out_ += variable() + "=";
            value(0);
            out_ += '\n';
            return;
        }
        out_ += "keep(" + one_of(functions_);
        for (unsigned arguments = u8() % 6; arguments > 0; arguments--) {
            out_ += ',';
            value(0);
        }
        out_ += ")\n";
    }

    Bytes input_;
    const std::vector<std::string>& functions_;
    std::string out_;
};

std::vector<std::uint8_t> sample_packet(std::uint8_t which) {
    static constexpr std::array headers = {
        "450000340001400040060000"
        "0a0000010a000002"
        "03e801bb00000001000000028018ffff00000000"
        "0101080a0000000100000002",
        "6000000000140640fd000000000000000000000000000001fd000000000000000000000000000002"
        "03e801bb00000001000000025018ffff00000000",
        "6000000000182c40fd000000000000000000000000000001fd000000000000000000000000000002"
        "1100000000000001"
        "03e801bb00080000",
        "4500001c000140004001000"
        "00a0000010a000002"
        "0800000000010002"};
    auto packet = *from_hex(headers[which % headers.size()]);
    const Bytes hello = protocol::fake_default_tls();
    if (which % headers.size() < 2) packet.insert(packet.end(), hello.begin(), hello.end());
    const std::size_t size = packet.size();
    if (packet[0] >> 4 == 4)
        store_be16(&packet[2], static_cast<std::uint16_t>(size));
    else
        store_be16(&packet[4], static_cast<std::uint16_t>(size - 40));
    return packet;
}

class World {
  public:
    explicit World(std::uint8_t which) : raw(sample_packet(which)) {
        const Bytes hello = protocol::fake_default_tls();
        require(state.open({{"raw", raw}, {"hello", {hello.begin(), hello.end()}}}, {}, true));
        lua::push_ctx(state.lua());
        lua_setglobal(state.lua(), "ctx");

        profile.number = 1;
        profile.instances.resize(2);
        for (std::uint32_t i = 0; i < 2; i++) {
            profile.instances[i].func = "f";
            profile.instances[i].func_n = i + 1;
            profile.instances[i].name = "f_1_" + std::to_string(i + 1);
        }
        call.track = connections.feed(packet::dissect(raw)).track;
        call.profile = &profile;
        call.instance = &profile.instances[0];
        call.raw_packet = raw;
    }

    std::vector<std::string> functions() const {
        std::vector<std::string> names;
        for (const auto& [name, type] : state.globals())
            if (type == "function" && std::find(unused.begin(), unused.end(), name) == unused.end())
                names.push_back(name);
        std::sort(names.begin(), names.end());
        return names;
    }

    void run_in_call(const std::string& script) {
        const lua::CallScope scope(state, call);
        run(script);
    }
    void run(const std::string& script) {
        lua_State* L = state.lua();
        const int top = lua_gettop(L);
        require(lua::load_text(L, script, "=generated"));
        if (lua_pcall(L, 0, 0, lua::message_handler_index) != 0) lua_pop(L, 1);
        require(lua_gettop(L) == top);
    }

    VirtualClock clock{1'700'000'000'000'000'000};
    std::unique_ptr<Random> random = make_seeded_random(1);
    NoDoor door;
    flow::ConnectionTable connections{flow::TableOptions{}, clock};
    lua::State state{{clock, *random, capture::TracedOutlet(door), door, &connections}, {}};
    std::vector<std::uint8_t> raw;
    profile::Profile profile;
    lua::DesyncCall call;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    World world(data[0]);
    const auto functions = world.functions();
    const std::string script = Generator({data + 1, size - 1}, functions).script();
    if (std::getenv("SHOW_SCRIPT") != nullptr) std::fputs(script.c_str(), stderr);
    world.run_in_call(script);
    world.clock.advance_to(world.clock.boot_ns() + 300'000'000'000);
    world.state.run_timers();
    // What is left in `v` has seen its call end.
    world.run(script);
    world.state.collect_garbage(1);
    return 0;
}
