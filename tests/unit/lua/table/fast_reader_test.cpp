// Both ways of reading a dissect table must build the same packet, or fail for the same reason:
// the compiled one of the state, and the one through the C API of a scratch whose reader was never
// opened.
#include "../fixture.hpp"
#include "golden_packets.hpp"
#include "lua/packet_scratch.hpp"
#include "lua/table/push_packet.hpp"
#include "lua/table/read_packet.hpp"

namespace nfqws2::lua {

class FastReaderTest : public ApiTest {
  protected:
    static std::string text_of(const Rebuilt& result) {
        if (result.error != nullptr) return result.raises ? "raises" : result.error;
        return std::string(as_text(result.packet));
    }
    // Of the table at the top; "" if they are the same.
    std::string difference() {
        const int index = lua_gettop(L());
        const std::string one = text_of(rebuild(L(), state.scratch(), random, index, {}));
        const std::string other = text_of(rebuild(L(), through_the_api, random, index, {}));
        EXPECT_EQ(lua_gettop(L()), index);
        return one == other ? "" : one + " / " + other;
    }
    bool is_read_fast() {
        packet::Blueprint plan;
        const int top = lua_gettop(L());
        const bool fast = state.scratch().reader.read(L(), top, plan);
        lua_settop(L(), top);
        return fast;
    }

    PacketScratch through_the_api;
};

TEST_F(FastReaderTest, BuildsTheSamePackets) {
    unsigned fast = 0;
    const auto packets = test::golden_packets();
    for (const auto& packet : packets) {
        push_dissect(L(), packet::dissect(packet));
        ASSERT_EQ(difference(), "");
        fast += is_read_fast();
        lua_settop(L(), 1);
    }
    ASSERT_GT(packets.size(), 1000U);
    EXPECT_GE(fast, is_luajit ? packets.size() / 2 : 0);
}

// Each field in turn has each value that it should not have.
TEST_F(FastReaderTest, LeavesToTheApiWhatIsNotPlain) {
    ASSERT_EQ(run(R"lua(
        local odd = { "12", "x", "", 1.75, -1, 2^33, 2^70, 0/0, 1/0, {}, { 1 }, true, false }
        local function options() return { { kind = 1 }, { kind = 8, data = "12345678" } } end
        local function ip4()
            return { ip_v = 4, ip_hl = 5, ip_tos = 1, ip_len = 60, ip_id = 3, ip_off = 0, ip_ttl = 64,
                ip_p = 6, ip_sum = 0, ip_src = "\1\2\3\4", ip_dst = "\5\6\7\8" }
        end
        local function ip6()
            return { ip6_flow = 0x60000000, ip6_plen = 20, ip6_nxt = 6, ip6_hlim = 64,
                ip6_src = ("s"):rep(16), ip6_dst = ("d"):rep(16), exthdr = {} }
        end
        local function tcp()
            return { th_sport = 1, th_dport = 2, th_seq = 3, th_ack = 4, th_x2 = 0, th_off = 5,
                th_flags = 24, th_win = 6, th_sum = 7, th_urp = 0, options = options() }
        end
        local function udp() return { uh_sport = 1, uh_dport = 2, uh_ulen = 9, uh_sum = 7 } end
        local function packet(three, four)
            return { payload = "data", l4proto = 6, ip = three == 4 and ip4() or nil, ip6 = three == 6 and
                ip6() or nil, tcp = four == "tcp" and tcp() or nil, udp = four == "udp" and udp() or nil }
        end
        plain, packets = {}, {}
        local function variants(three, four, path)
            local function of(p) if path then return p[path] end return p end
            local first = of(packet(three, four))
            if not first then return end
            local keys = { "frag_off", "ip", "ip6", "tcp", "udp", "icmp", "options", "exthdr" }
            for key in pairs(first) do keys[#keys + 1] = key end
            for _, key in ipairs(keys) do
                for i = 0, #odd do
                    local p = packet(three, four)
                    of(p)[key] = odd[i]
                    packets[#packets + 1] = p
                end
            end
            local p = packet(three, four)
            setmetatable(of(p), { __index = function() return 77 end })
            packets[#packets + 1] = p
        end
        for _, three in ipairs { 4, 6 } do
            for _, four in ipairs { "tcp", "udp", "none" } do
                for _ = 1, 40 do -- which is often enough to be compiled
                    if four ~= "none" then plain[#plain + 1] = packet(three, four) end
                end
                variants(three, four)
                for _, path in ipairs { "ip", "ip6", "tcp", "udp" } do variants(three, four, path) end
            end
        end
    )lua"),
              "");
    for (const char* list : {"plain", "packets", "plain"}) {
        lua_getglobal(L(), list);
        const int at = lua_gettop(L());
        int i = 1;
        for (;; i++) {
            lua_rawgeti(L(), at, i);
            if (lua_isnil(L(), -1)) break;
            ASSERT_EQ(difference(), "") << list << " " << i;
            ASSERT_TRUE(!is_luajit || list[1] == 'a' || is_read_fast()) << i;
            lua_settop(L(), at);
        }
        EXPECT_GT(i, 100);
        lua_settop(L(), at - 1);
    }
}

// Without the compiler it would cost more than the API.
TEST_F(FastReaderTest, RestsWhileNothingIsCompiled) {
    push_dissect(L(), packet::dissect(test::golden_packets().at(0)));
    ASSERT_EQ(is_read_fast(), is_luajit);
    ASSERT_EQ(run("if jit then jit.off() end"), "");
    EXPECT_FALSE(is_read_fast());
}

} // namespace nfqws2::lua
