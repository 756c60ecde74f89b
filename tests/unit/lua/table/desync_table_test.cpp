// Both ways of building the `desync` table must give the same table: every packet of the golden
// captures is built twice and compared deeply.
#include "../../ct_tuple.hpp"
#include "../fixture.hpp"
#include "golden_packets.hpp"
#include "lua/table/desync_table.hpp"

#include "nfqws2/lua/connections.hpp"
#include "nfqws2/profile/list_store.hpp"

namespace nfqws2::lua {

namespace {

// Text of the first difference between the globals `a` and `b`, "" if they are equal. Tables that
// appear twice (track.pos) must be the same object on both sides.
constexpr const char* compare = R"lua(
local function diff(path, a, b)
    if type(a) ~= type(b) then return path .. ": " .. tostring(a) .. " / " .. tostring(b) end
    if type(a) ~= "table" then
        if a ~= b then return path .. ": " .. tostring(a) .. " / " .. tostring(b) end
        return nil
    end
    for k in pairs(a) do
        local d = diff(path .. "." .. tostring(k), a[k], b[k])
        if d then return d end
    end
    for k in pairs(b) do
        if a[k] == nil then return path .. "." .. tostring(k) .. ": only in b" end
    end
end
difference = diff("desync", a, b)
local function identity(t)
    local p = t.track and t.track.pos
    return p and (p.direct == p.client and p.reverse == p.server or
        p.direct == p.server and p.reverse == p.client)
end
if not difference and a.track and not (identity(a) and identity(b)) then difference = "identity" end
if not difference and a.track and a.track.lua_state ~= b.track.lua_state then
    difference = "lua_state is not one table"
end
)lua";

} // namespace

class DesyncTableTest : public ApiTest {
  protected:
    DesyncTableTest() : lists(clock), table(state.desync_table()) {
        auto profile = std::make_unique<profile::Profile>();
        profile->number = 1;
        profile->profile_name = "named";
        profile->cookie = "c";
        std::vector<std::unique_ptr<profile::Profile>> list;
        list.push_back(std::move(profile));
        profiles = std::make_unique<profile::ProfileSet>(std::move(list), lists, clock);
        for (const auto& profile : profiles->all())
            table.prepare(L(), *profile);
    }

    std::string difference(const PacketView& view) {
        EXPECT_TRUE(table.push(L(), view));
        lua_setglobal(L(), "a");
        table.push_by_api(L(), view);
        lua_setglobal(L(), "b");
        EXPECT_EQ(run(compare), "");
        lua_getglobal(L(), "difference");
        std::string text = lua_isnil(L(), -1) ? "" : lua_tostring(L(), -1);
        lua_pop(L(), 1);
        return text;
    }

    profile::ListStore lists;
    std::unique_ptr<profile::ProfileSet> profiles;
    DesyncTable& table;
};

TEST_F(DesyncTableTest, LuaJitHasTheCompiledWay) {
    EXPECT_EQ(table.facts() != nullptr, is_luajit);
}

// Interpreted, the compiled way costs several times what the other does.
TEST_F(DesyncTableTest, WithoutTheCompilerTheOtherWayIsTaken) {
    if (!is_luajit) return;
    const std::vector<std::uint8_t> packet = *from_hex(
        "4500002800010000400666CB0A0100010A0100029C4001BB000003E8000000005010FAF000000000");
    const packet::Dissect d = packet::dissect(packet);
    PacketView view;
    view.dis = &d;
    view.profile = &profiles->by_number(1);
    view.target = d.source();
    constexpr std::uint32_t untouched = 12345;
    const auto takes_the_compiled_way = [&] {
        table.facts()->profile_n = {untouched};
        EXPECT_EQ(difference(view), "");
        return table.facts()->profile_n.value != untouched;
    };
    EXPECT_TRUE(takes_the_compiled_way());
    ASSERT_EQ(run("jit.off()"), "");
    EXPECT_FALSE(takes_the_compiled_way());
    ASSERT_EQ(run("jit.on()"), "");
    EXPECT_TRUE(takes_the_compiled_way());
    state.guard().compiler().shut(L());
    EXPECT_FALSE(takes_the_compiled_way());
}

class KnownConnection final : public PacketConnection {
  public:
    packet::CtFacts known;
    packet::CtState state() override { return known.state; }
    const packet::CtFacts& facts() override { return known; }
    const char* set(const packet::CtChanges&) override { return nullptr; }
    int expect(const packet::CtExpectation&) override { return 0; }
};

using nfqws2::test::tcp_tuple;

TEST_F(DesyncTableTest, ConnectionsAreTheSameBothWays) {
    const std::vector<std::uint8_t> bytes = *from_hex(
        "4500002800010000400666CB0A0100010A0100029C4001BB000003E8000000005010FAF000000000");
    const packet::Dissect d = packet::dissect(bytes);
    KnownConnection ct;
    PacketView view;
    view.dis = &d;
    view.profile = &profiles->by_number(1);
    view.target = d.source();
    view.ct = &ct;
    const auto same = [&] { // and compiled, too
        for (int i = 0; i < 100; i++)
            if (std::string text = difference(view); !text.empty()) return text;
        return std::string();
    };
    EXPECT_EQ(same(), ""); // nothing is known
    EXPECT_EQ(eval("a.ct.state .. (a.ct.dir or '-')"), "unknown-");

    ct.known = {
        packet::CtSource::queue, packet::CtState::related, packet::CtDirection::reply, true, {}};
    packet::Connection& c = ct.known.connection.emplace();
    c.orig = tcp_tuple("10.0.0.1", "10.0.0.2", 1000, 443);
    c.reply = tcp_tuple("10.0.0.2", "10.0.0.1", 443, 1000);
    EXPECT_EQ(same(), "");
    EXPECT_EQ(eval("a.ct.id or a.ct.mark or a.ct.flags or a.ct.nat or a.ct.counters or a.ct.start"),
              "nil");

    c.id = 0xFFFFFFFF, c.mark = 0, c.timeout = 0, c.zone = 7, c.status = 0x800003BF;
    c.tcp_state = packet::CtTcp::established;
    c.helper = packet::CtHelper("ftp");
    c.master = tcp_tuple("10.0.0.1", "10.0.0.2", 999, 21);
    c.reply = tcp_tuple("192.168.0.2", "203.0.113.1", 8443, 60000);
    c.counted = true;
    c.orig_counter = {1, 5'000'000'000}, c.reply_counter = {0, 0};
    c.start_ns = 1'700'000'000'500'000'000;
    c.labels.emplace();
    EXPECT_EQ(same(), "");
    EXPECT_EQ(eval("a.ct.flags.dying and a.ct.flags.confirmed and a.ct.flags.hw_offload == nil"),
              "true");
    EXPECT_EQ(eval("a.ct.id .. ' ' .. a.ct.nat.sport .. ' ' .. a.ct.nat.dport .. ' ' .. "
                   "a.ct.counters.orig.bytes"),
              "4294967295 60000 8443 5000000000");

    packet::CtTuple& echo = c.orig;
    echo = {};
    echo.proto = 1, echo.icmp_type = 8, echo.icmp_id = 77;
    echo.src = *IpAddress::parse("10.0.0.1"), echo.dst = *IpAddress::parse("10.0.0.2");
    EXPECT_EQ(same(), "");
    EXPECT_EQ(eval("a.ct.orig.icmp_type .. ' ' .. a.ct.orig.icmp_code .. ' ' .. a.ct.orig.icmp_id"),
              "8 0 77");
    EXPECT_EQ(eval("a.ct.orig.sport"), "nil");
}

// It reads memory, and setfenv() gives back what it finds at a level of the stack.
TEST_F(DesyncTableTest, TheBuilderIsKeptFromScripts) {
    if (!is_luajit) return;
    ASSERT_EQ(run(R"lua(
        local own, function_of_others, tried = {}, nil, 0
        local function take()
            for level = 1, 20 do
                local good, f = pcall(setfenv, level, _G)
                tried = tried + 1
                if good and f and not own[f] then function_of_others = f end
            end
        end
        local function finalizer()
            take()
            getmetatable(newproxy(true)).__gc = own.finalizer
        end
        own.finalizer = finalizer
        own[take], own[finalizer] = true, true
        setmetatable(_G, { __index = function(_, name)
            own[setfenv(1, _G)] = true
            if name == "DEFAULT_MSS" then take() end
        end })
        DEFAULT_MSS = nil
        for i = 1, 5 do getmetatable(newproxy(true)).__gc = finalizer end
        collectgarbage("setpause", 1)
        collectgarbage("setstepmul", 100000)
        function result() return function_of_others == nil and tried end
    )lua"),
              "");
    const std::vector<std::uint8_t> packet = *from_hex(
        "4500002800010000400666CB0A0100010A0100029C4001BB000003E7000000005002FAF000000000");
    const packet::Dissect d = packet::dissect(packet);
    PacketView view;
    view.dis = &d;
    view.profile = &profiles->by_number(1);
    view.target = d.destination();
    for (int i = 0; i < 10; i++) {
        ASSERT_TRUE(table.push(L(), view));
        lua_pop(L(), 1);
    }
    EXPECT_EQ(eval("(result() or 0) > 100"), "true");
}

TEST_F(DesyncTableTest, EnvironmentsOfLevels) {
    if (!is_luajit) return;
    EXPECT_EQ(run("local function f() local g = setfenv(1, {}) return g end assert(f() == f and "
                  "getfenv(f) ~= _G)"),
              "");
    EXPECT_EQ(run("local function set() setfenv(2, {x = 5}) end "
                  "local function f() set() return x end assert(f() == 5)"),
              "");
    EXPECT_EQ(run("setfenv(50, {})"), "test:1: bad argument #1 to 'setfenv' (invalid level)");
    EXPECT_EQ(run("assert(not pcall(setfenv, print, {}))"), "");
    EXPECT_EQ(run("local f = setfenv(loadstring('return x'), {x = 7}) assert(f() == 7)"), "");
}

// A builder that the JIT gives up on is slower than the C API.
TEST_F(DesyncTableTest, TheBuilderIsCompiled) {
    if (!is_luajit) return; // the C API is all there is
    ASSERT_EQ(run("counts = {start = 0, stop = 0, abort = 0} "
                  "jit.attach(function(what) counts[what] = (counts[what] or 0) + 1 end, 'trace')"),
              "");
    const std::vector<std::uint8_t> syn = *from_hex(
        "4500002800010000400666CB0A0100010A0100029C4001BB000003E7000000005002FAF000000000");
    const std::vector<std::uint8_t> packet = *from_hex(
        "4500002800010000400666CB0A0100010A0100029C4001BB000003E8000000005010FAF000000000");
    const packet::Dissect d = packet::dissect(packet);
    connections.feed(packet::dissect(syn));
    PacketView view;
    view.dis = &d;
    view.profile = &profiles->by_number(1);
    view.target = d.destination();
    view.track = connections.feed(d).track;
    ASSERT_NE(view.track, nullptr);
    const flow::Positions positions = view.track->positions();
    view.positions = &positions;
    const auto push_some = [&] {
        for (int i = 0; i < 2000; i++) {
            ASSERT_TRUE(table.push(L(), view));
            lua_pop(L(), 1);
        }
    };
    // The collector leaves the trace in the middle now and then, and what follows there is compiled
    // some time later.
    for (int i = 0; i < 10; i++)
        push_some();
    EXPECT_NE(eval("counts.stop"), "0");
    EXPECT_EQ(run("counts = {start = 0, stop = 0, abort = 0}"), "");
    push_some();
    EXPECT_EQ(eval("counts.start"), "0") << "still trying to compile";
}

TEST_F(DesyncTableTest, BothWaysGiveTheSameTable) {
    const std::vector<std::vector<std::uint8_t>> packets = test::golden_packets();
    ASSERT_GT(packets.size(), 500U);
    std::size_t with_track = 0;
    auto expect_same = [this, n = 0U](const PacketView& view) mutable {
        if (n++ % nfqws2::test::every() != 0) return;
        EXPECT_EQ(difference(view), "");
    };
    for (const std::vector<std::uint8_t>& packet : packets) {
        const packet::Dissect d = packet::dissect(packet);
        ASSERT_TRUE(d.is_ip());
        PacketView view;
        view.dis = &d;
        view.profile = &profiles->by_number(1);
        view.target = d.destination();
        view.payload = protocol::Payload::empty;
        expect_same(view);

        const flow::ConnectionTable::Found found = connections.feed(d);
        flow::Positions positions;
        if (found) {
            with_track++;
            positions = found.track->positions();
            view.track = found.track;
            view.positions = &positions;
            view.from_client = !found.reverse;
            found.track->set_incoming_ttl(57, false);
            found.track->set_hostname("www.example.com", false, true);
        }
        view.profile = &profiles->by_number(0);
        view.outgoing = false;
        view.ifin = "eth0";
        view.ifout = "wan";
        view.fwmark = 0xF0000001;
        view.target_port = 443;
        view.payload = protocol::Payload::tls_client_hello;
        view.l7 = protocol::L7::tls;
        view.reasm_data = d.payload;
        view.decrypt_data = d.packet;
        view.replay = Replay{2, 3, 1400};
        view.tcp_mss = 1400;
        expect_same(view);
        view.replay.reset();
        view.reasm_data = d.packet;
        view.decrypt_data.reset();
        expect_same(view);
    }
    EXPECT_GT(with_track, 400U);
}

TEST_F(DesyncTableTest, OddHeadersToo) {
    const std::vector<const char*> hex = {
        // IPv4 options and TCP options
        "4610003D1234400040067F6E0A0100010A010002940400009C4001BB010203040A0B0C0D801801F653750000"
        "0101080A112233445566778868656C6C6F",
        // END in the options
        "4500003000010000400666C30A0100010A0100029C4001BB000003E8000000007002FAF0D7490000020405B4"
        "00000000",
        // hop-by-hop and destination options
        "62012345002F0040FD000000000000000000000000000001FD0000000000000000000000000000023C00010400"
        "00"
        "00000601010C0000000000000000000000009C4001BB00000001000000025010006453080000616263",
        // fragment
        "450000240077"
        "20B9401145950A0100010A01000246464646464646464646464646464646",
        // ICMP
        "4500003800080000FF01A6BC0A0100FE0A01000103034069000000004500002C000900000111A5AD0A0100010A"
        "01"
        "00091388829A00182659"};
    for (const char* text : hex) {
        const std::vector<std::uint8_t> packet = *from_hex(text);
        const packet::Dissect d = packet::dissect(packet);
        ASSERT_TRUE(d.is_ip());
        PacketView view;
        view.dis = &d;
        view.profile = &profiles->by_number(1);
        view.target = d.source();
        EXPECT_EQ(difference(view), "") << text;
    }
}

TEST_F(DesyncTableTest, DefaultMssFollowsTheGlobal) {
    const std::vector<std::uint8_t> packet = *from_hex(
        "4500002800010000400666CB0A0100010A0100029C4001BB000003E8000000005010FAF000000000");
    const packet::Dissect d = packet::dissect(packet);
    PacketView view;
    view.dis = &d;
    view.profile = &profiles->by_number(1);
    view.target = d.source();
    EXPECT_EQ(run("DEFAULT_MSS = 777"), "");
    EXPECT_EQ(difference(view), "");
    EXPECT_EQ(eval("a.tcp_mss"), "777");
}

// Gives every number a value of its own. `conditions`: what scripts have to find then.
template <typename Structure>
void number_all(Structure& facts, const std::string& path, std::vector<std::string>& conditions) {
    if constexpr (requires { facts.exists; }) facts.exists = {1};
    Structure::each([&](const char* name, auto member) {
        auto& field = facts.*member;
        using Kind = kind_of<decltype(member)>;
        if constexpr (requires { typename Kind::Self; }) {
            number_all(field, path + "." + name, conditions);
        } else if constexpr (std::is_same_v<Kind, Number> || std::is_same_v<Kind, OptionalNumber> ||
                             std::is_same_v<Kind, Counter> || std::is_same_v<Kind, Real> ||
                             std::is_same_v<Kind, KnownNumber> ||
                             std::is_same_v<Kind, OptionalReal>) {
            const std::size_t value = 100 + conditions.size();
            field.value = static_cast<decltype(field.value)>(value);
            conditions.push_back(path + "." + name + " == " + std::to_string(value));
        }
    });
}

TEST_F(DesyncTableTest, TheBuilderFindsEveryNumberUnderItsName) {
    if (!is_luajit) return; // the C API goes by names
    const std::vector<std::uint8_t> packet = *from_hex(
        "4500002800010000400666CB0A0100010A0100029C4001BB000003E8000000005010FAF000000000");
    const packet::Dissect d = packet::dissect(packet);
    PacketView view;
    view.dis = &d;
    view.profile = &profiles->by_number(1);
    ASSERT_TRUE(table.push(L(), view)); // gives values to what is no number
    lua_settop(L(), message_handler_index);

    std::vector<std::string> conditions;
    number_all(*table.facts(), "t", conditions);
    EXPECT_GT(conditions.size(), 30U);
    ASSERT_TRUE(table.push_facts(L())) << lua_tostring(L(), -1);
    lua_setglobal(L(), "t");
    for (const std::string& condition : conditions)
        EXPECT_EQ(eval(condition), "true") << condition;
}

} // namespace nfqws2::lua
