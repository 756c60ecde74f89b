#include "../fixture.hpp"
#include "lua/table/read_packet.hpp"

namespace nfqws2::lua {
namespace {

// Recorded tables, see docs/contracts/wire.md#minimal-tables.
constexpr const char* tables = R"lua(
    function ip(more)
        local t = { ip_ttl = 64, ip_p = 6, ip_src = pton("10.1.0.1"), ip_dst = pton("10.1.0.2") }
        for k, v in pairs(more or {}) do t[k] = v end
        return t
    end
    function ip6(more)
        local t = { ip6_src = pton("fd00::1"), ip6_dst = pton("fd00::2") }
        for k, v in pairs(more or {}) do t[k] = v end
        return t
    end
    function tcp(more)
        local t = { th_sport = 40000, th_dport = 443, th_seq = 1, th_ack = 2, th_flags = TH_ACK,
            th_win = 100 }
        for k, v in pairs(more or {}) do t[k] = v end
        return t
    end
    udp = { uh_sport = 1, uh_dport = 2 }
    icmp = { icmp_type = 8, icmp_code = 0, icmp_data = 0x00010002 }
    whole = "0123456789ABCDEFGHIJKLMN"
)lua";

class PacketApi : public ApiTest {
  protected:
    PacketApi() { EXPECT_EQ(run(tables), ""); }
    std::string rebuilt(const std::string& dissect, const std::string& options = "nil") {
        return eval_hex("reconstruct_dissect(" + dissect + ", " + options + ")");
    }
    // The error of a rebuild with what was logged about it.
    std::string rebuild_error(const std::string& dissect) {
        ::testing::internal::CaptureStderr();
        const std::string error = run("reconstruct_dissect(" + dissect + ")");
        return error + "|" + ::testing::internal::GetCapturedStderr();
    }
};

TEST_F(PacketApi, WorkedExamplesAreIdentities) {
    for (const char* packet :
         {"4610003d1234400040067f6e0a0100010a010002940400009c4001bb010203040a0b0c0d801801f653750000"
          "0101080a112233445566778868656c6c6f",
          "4500003c00010000400666b70a0100010a0100029c4001bb000003e800000000a002faf097260000020405b4"
          "0402080a000000010000000001030307",
          "62012345002f0040fd000000000000000000000000000001fd0000000000000000000000000000023c000104"
          "000000000601010c0000000000000000000000009c4001bb00000001000000025010006453080000616263",
          "4500002400070000401166be0a0100010a0100021388003500101abc7061796c6f616421",
          "4500003800080000ff01a6bc0a0100fe0a01000103034069000000004500002c000900000111a5ad0a010001"
          "0a0100091388829a00182659",
          "45000024007720b9401145950a0100010a01000246464646464646464646464646464646"})
        EXPECT_EQ(rebuilt("dissect(parse_hex('" + std::string(packet) + "'))"), packet);
}

TEST_F(PacketApi, TcpFields) {
    const std::string source = R"lua(
        local d = dissect(parse_hex("4610003D1234400040067F6E0A0100010A010002940400009C4001BB01020304" ..
            "0A0B0C0D801801F6537500000101080A112233445566778868656C6C6F"))
        local i, t = d.ip, d.tcp
        assert(i.ip_v == 4 and i.ip_hl == 6 and i.ip_tos == 16 and i.ip_len == 61)
        assert(i.ip_id == 0x1234 and i.ip_off == 0x4000 and i.ip_ttl == 64 and i.ip_p == 6)
        assert(i.ip_sum == 0x7F6E and i.ip_src == "\10\1\0\1" and i.ip_dst == "\10\1\0\2")
        assert(i.options == "\x94\4\0\0")
        assert(t.th_sport == 40000 and t.th_dport == 443 and t.th_seq == 0x01020304)
        assert(t.th_ack == 0x0A0B0C0D and t.th_x2 == 0 and t.th_off == 8 and t.th_flags == 0x18)
        assert(t.th_win == 502 and t.th_sum == 0x5375 and t.th_urp == 0 and #t.options == 3)
        assert(t.options[1].kind == 1 and t.options[1].data == nil)
        assert(t.options[3].kind == 8 and #t.options[3].data == 8)
        assert(d.l3_len == 24 and d.l4_len == 32 and d.transport_len == 37 and d.l4proto == 6)
        assert(d.payload == "hello" and d.frag_off == nil and d.udp == nil and d.ip6 == nil)
        if math.type then assert(math.type(t.th_seq) == "integer") end
    )lua";
    EXPECT_EQ(run(source), "");
}

TEST_F(PacketApi, Ipv6AndFragmentFields) {
    const std::string source = R"lua(
        local d = dissect(parse_hex("62012345002F0040FD000000000000000000000000000001FD00000000000000" ..
            "00000000000000023C000104000000000601010C0000000000000000000000009C4001BB0000000100000002" ..
            "5010006453080000616263"))
        local i = d.ip6
        assert(i.ip6_flow == 0x62012345 and i.ip6_plen == 47 and i.ip6_nxt == 0 and i.ip6_hlim == 64)
        assert(#i.ip6_src == 16 and #i.ip6_dst == 16 and #i.exthdr == 2)
        assert(i.exthdr[1].type == 0 and i.exthdr[1].next == 60)
        assert(i.exthdr[1].data == "\1\4\0\0\0\0")
        assert(i.exthdr[2].type == 60 and i.exthdr[2].next == 6 and #i.exthdr[2].data == 14)
        assert(d.l3_len == 64 and d.ip == nil and #d.tcp.options == 0)
        d = dissect(parse_hex("45000024007720B9401145950A0100010A01000246464646464646464646464646464646"))
        assert(d.frag_off == 1480 and d.l4proto == 17 and d.udp == nil and #d.payload == 16)
        d = dissect(parse_hex("4500001400000000401100000A0100010A010002"))
        assert(d.payload == "" and d.ip6 == nil and d.l4_len == 0)
    )lua";
    EXPECT_EQ(run(source), "");
}

TEST_F(PacketApi, PartialIsEvaluatedAsBoolean) {
    const std::string cut = "parse_hex('4500002C000900000111A5AD0A0100010A0100091388829A00182659')";
    EXPECT_EQ(eval("dissect(" + cut + ").ip"), "nil");
    EXPECT_EQ(eval("dissect(" + cut + ", false).ip"), "nil");
    EXPECT_EQ(eval("dissect(" + cut + ", 0).udp.uh_dport"), "33434");
}

TEST_F(PacketApi, LengthBelowTheHeaderIsHarmless) {
    EXPECT_EQ(eval("dissect(parse_hex('450000000000000040060000') .. 'abcdefgh').ip"), "nil");
    EXPECT_EQ(eval("dissect(parse_hex('450000000000000040320000') .. 'abcdefghXY', true).payload"),
              "XY");
}

TEST_F(PacketApi, MinimalTables) {
    EXPECT_EQ(rebuilt("{ ip = ip(), tcp = tcp(), payload = 'abc' }"),
              "4500002b00000000400666c90a0100010a0100029c4001bb0000000100000002501000643908"
              "0000616263");
    EXPECT_EQ(rebuilt("{ ip = ip(), tcp = tcp { th_sum = 0x1122 }, payload = 'abc' }",
                      "{ keepsum = true }"),
              "4500002b00000000400666c90a0100010a0100029c4001bb0000000100000002501000641122"
              "0000616263");
    EXPECT_EQ(rebuilt("{ ip = ip { ip_p = 1 }, icmp = icmp, payload = 'abcd' }"),
              "4500002000000000400166d90a0100010a010002080033360001000261626364");
    EXPECT_EQ(rebuilt("{ ip = ip { ip_p = 50 }, payload = 12 }").substr(40), "3132")
        << "a number becomes its text";
    EXPECT_EQ(rebuilt("{ ip = ip { ip_p = 50 }, payload = {} }").size(), 40U);
}

TEST_F(PacketApi, NumberRules) {
    const auto tcp_part = [&](const std::string& fields) {
        return rebuilt("{ ip = ip(), tcp = tcp { " + fields + " } }", "{ keepsum = 1 }")
            .substr(40, 32);
    };
    EXPECT_EQ(tcp_part("th_seq = -1, th_ack = 2^32 + 5"), "9c4001bbffffffff0000000550100064");
    EXPECT_EQ(tcp_part("th_sport = -1").substr(0, 4), "ffff");
    EXPECT_EQ(tcp_part("th_seq = 1.9").substr(8, 8), is_luajit ? "00000001" : "00000000");
    EXPECT_EQ(rebuilt("{ ip = ip { ip_ttl = 259 } }").substr(16, 2), "03");
    EXPECT_EQ(rebuilt("{ ip = ip { ip_tos = '5' } }").substr(2, 2), "05");
    EXPECT_EQ(rebuilt("{ ip = ip { ip_tos = {} } }").substr(2, 2), "00");
    EXPECT_EQ(rebuild_error("{ ip = ip(), tcp = tcp { th_seq = '5' } }"),
              "test:1: invalid dissect data|reconstruct_dissect: bad tcp\n");
}

TEST_F(PacketApi, FailuresAreLoggedAndRaised) {
    const std::string raised = "test:1: invalid dissect data|reconstruct_dissect: ";
    EXPECT_EQ(rebuild_error("{}"), raised + "bad ip6\n");
    EXPECT_EQ(rebuild_error("{ ip = {} }"), raised + "bad ip\n");
    EXPECT_EQ(rebuild_error("{ ip6 = {} }"), raised + "bad ip6\n");
    EXPECT_EQ(rebuild_error("{ ip = ip(), udp = {} }"), raised + "bad udp\n");
    EXPECT_EQ(rebuild_error("{ ip = ip(), icmp = {} }"), raised + "bad icmp\n");
    EXPECT_EQ(rebuild_error("{ ip = ip(), tcp = tcp { options = { 5 } } }"), raised + "bad tcp\n");
    EXPECT_EQ(rebuild_error("{ ip = ip(), payload = ('x'):rep(65536) }"),
              raised + "payload too large : 65536\n");
    EXPECT_EQ(rebuild_error("{ ip = ip(), payload = ('x'):rep(65516) }"),
              raised + "packet too large : 65536\n");
    EXPECT_EQ(rebuild_error("{ ip = ip { ip_off = 2, ip_len = 37 }, udp = udp, payload = whole }"),
              raised + "ipv4 frag : fragment end is outside of the packet\n");
    EXPECT_EQ(rebuild_error("{ ip6 = ip6 { exthdr = { { type = 0 } } } }"), raised + "bad ip6\n");
    EXPECT_EQ(run("reconstruct_dissect(5)"), "test:1: invalid dissect data");
}

TEST_F(PacketApi, WrongTypesThatRaiseByThemselves) {
    EXPECT_NE(run("reconstruct_dissect { ip = ip(), frag_off = 'zz' }").find("frag_off"),
              std::string::npos);
    EXPECT_NE(
        run("reconstruct_dissect { ip6 = ip6 { ip6_plen = {} } }").find("ip6_plen wrong type"),
        std::string::npos);
    EXPECT_NE(run("reconstruct_dissect({ ip = ip() }, 5)").find("table expected, got number"),
              std::string::npos);
    EXPECT_EQ(run("reconstruct_ip6hdr(ip6 { ip6_plen = '1' })"),
              "test:1: reconstruct_ip6hdr: ip6_plen wrong type");
}

TEST_F(PacketApi, FragmentModeTakesNumericStrings) {
    const std::string packet =
        rebuilt("{ frag_off = '8', ip = ip { ip_len = 36, ip_off = 0x2000 }, udp = udp, "
                "payload = whole }");
    EXPECT_EQ(packet.size(), 88U);
    EXPECT_EQ(packet.substr(4, 4), "0024");
}

TEST_F(PacketApi, Ipv4WinsOverIpv6AndTcpOverUdp) {
    EXPECT_EQ(rebuilt("{ ip = ip(), ip6 = ip6(), tcp = tcp(), udp = udp }"),
              rebuilt("{ ip = ip(), tcp = tcp() }"));
}

TEST_F(PacketApi, LastProtocolOfRawIpv6) {
    const auto next = [&](const std::string& dissect, const std::string& options = "nil") {
        return rebuilt(dissect, options).substr(12, 2);
    };
    const std::string raw = "{ ip6 = ip6 { ip6_nxt = 50 }, payload = 'xy' }";
    EXPECT_EQ(next(raw), "3b");
    EXPECT_EQ(next(raw, "{ ip6_preserve_next = true }"), "32");
    EXPECT_EQ(next(raw, "{ ip6_preserve_next = 0 }"), "32") << "every value but false is set";
    EXPECT_EQ(next(raw, "{ ip6_preserve_next = false }"), "3b");
    EXPECT_EQ(next(raw, "{ ip6_last_proto = 47 }"), "2f");
    const std::string dissected = "{ l4proto = 50, ip6 = ip6(), payload = 'xy' }";
    EXPECT_EQ(next(dissected), "32");
    EXPECT_EQ(next(dissected, "{ ip6_last_proto = 59 }"), "3b");
    EXPECT_EQ(next("{ ip6 = ip6(), tcp = tcp() }", "{ ip6_last_proto = 59 }"), "06");
    EXPECT_EQ(next("{ l4proto = 44, ip6 = ip6(), payload = 'xy' }"), "3b");
}

TEST_F(PacketApi, OptionsOfTcpEndWithKindZero) {
    EXPECT_EQ(eval_hex("reconstruct_tcphdr(tcp { options = { { kind = 0 }, 'not a table' } })")
                  .substr(40),
              "00000000");
}

TEST_F(PacketApi, MoreTcpOptionsThanFit) {
    EXPECT_EQ(
        run("local o = {} for i = 1, 40 do o[i] = { kind = 1 } end "
            "assert(#reconstruct_tcphdr(tcp { options = o }) == 60) "
            "o[41] = { kind = 1 } assert(not pcall(reconstruct_tcphdr, tcp { options = o }))"),
        "");
}

TEST_F(PacketApi, ManyExtensionHeaders) {
    EXPECT_EQ(run("local e = {} for i = 1, 8000 do e[i] = { type = 60, data = '123456' } end "
                  "assert(#reconstruct_dissect { ip6 = ip6 { exthdr = e } } == 64040) "
                  "for i = 8001, 9000 do e[i] = e[1] end "
                  "assert(not pcall(reconstruct_dissect, { ip6 = ip6 { exthdr = e } }))"),
              "");
}

TEST_F(PacketApi, ChecksumFunctionsKeepTheLengthOfTheHeader) {
    EXPECT_EQ(run(R"lua(
        local h = reconstruct_iphdr(ip { ip_len = 60 })
        assert(#csum_ip4_fix(h .. "tail") == 24 and csum_ip4_fix(h .. "tail"):sub(21) == "tail")
        assert(not pcall(csum_ip4_fix, h .. ("x"):rep(41)))
        local t = reconstruct_tcphdr(tcp())
        assert(#csum_tcp_fix(h, t .. "x", "") == 21)
        for _, f in ipairs { csum_tcp_fix, csum_udp_fix, csum_icmp_fix } do
            local ok, message = pcall(f, "", t, "")
            assert(not ok and message:find("invalid ip header", 1, true))
            ok, message = pcall(f, h, "1234567", "")
            assert(not ok and message:find("^invalid %a+ header$") or message:find("header"))
            ok, message = pcall(f, h, t, ("x"):rep(65536))
            assert(not ok and message:find("invalid payload length", 1, true))
        end
    )lua"),
              "");
}

TEST_F(PacketApi, EngineRebuildNeverRaises) {
    const auto engine_rebuild = [&](const std::string& table) {
        EXPECT_EQ(run("built__ = " + table), "");
        lua_getglobal(L(), "built__");
        std::string error;
        const int top = lua_gettop(L());
        const Bytes packet =
            rebuild_protected(L(), state.scratch(), random, top, RebuildOptions{}, &error);
        EXPECT_EQ(lua_gettop(L()), top);
        lua_pop(L(), 1);
        EXPECT_EQ(packet.empty(), !error.empty());
        return packet.empty() ? error : to_hex(packet);
    };
    EXPECT_EQ(engine_rebuild("{ ip = ip { ip_p = 50 }, payload = 'abcd' }"),
              "4500001800000000403266b00a0100010a01000261626364");
    EXPECT_NE(engine_rebuild("{ ip = ip(), frag_off = 'zz' }").find("frag_off"), std::string::npos);
    EXPECT_NE(engine_rebuild("{ ip6 = ip6 { ip6_plen = {} } }").find("ip6_plen"),
              std::string::npos);
    EXPECT_EQ(engine_rebuild("{ ip = ip(), tcp = {} }"), "bad tcp");
    EXPECT_EQ(engine_rebuild("5"), "bad dissect");
}

} // namespace
} // namespace nfqws2::lua
