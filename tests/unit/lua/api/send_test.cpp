#include "../fixture.hpp"

namespace nfqws2::lua {
namespace {

class SendApi : public ApiTest {
  protected:
    explicit SendApi(const flow::TableOptions& tracking = {}, bool tracks = true,
                     bool server_mode = false)
        : ApiTest(tracking, tracks, server_mode) {
        EXPECT_EQ(run(R"lua(
            raw = parse_hex("4500001800000000403266b00a0100010a01000261626364")
            ip = { ip_ttl = 64, ip_p = 50, ip_src = pton("10.1.0.1"), ip_dst = pton("10.1.0.2") }
            d = { ip = ip, payload = "abcd" }
            function segment(from, flags, seq, ack)
                local t = { ip_ttl = 64, ip_p = 6, ip_src = ip.ip_src, ip_dst = ip.ip_dst }
                local h = { th_sport = 1000, th_dport = 80, th_seq = seq, th_ack = ack or 0,
                    th_flags = flags, th_win = 100 }
                if from == "server" then
                    t.ip_src, t.ip_dst = t.ip_dst, t.ip_src
                    h.th_sport, h.th_dport = h.th_dport, h.th_sport
                end
                return { ip = t, tcp = h }
            end
        )lua"),
                  "");
    }
};

TEST_F(SendApi, Defaults) {
    EXPECT_EQ(eval("rawsend(raw)"), "true");
    ASSERT_EQ(sender.sent.size(), 1U);
    EXPECT_EQ(to_hex(sender.sent[0].data), "4500001800000000403266b00a0100010a01000261626364");
    EXPECT_EQ(sender.sent[0].mark, 0x40000000U);
    EXPECT_EQ(sender.sent[0].repeats, 1U);
    EXPECT_EQ(sender.sent[0].ifout, "");
}

TEST_F(SendApi, CountsWhatWasSent) {
    EXPECT_EQ(eval("packets_sent()"), "0");
    EXPECT_EQ(run("rawsend(raw, { repeats = 3 }); rawsend(raw); pcall(rawsend, 'bad')"), "");
    EXPECT_EQ(eval("packets_sent()"), "4");
    EXPECT_EQ(run("packets_sent(1)"), "test:1: packets_sent expect exactly 0 arguments, got 1");
}

TEST_F(SendApi, Options) {
    EXPECT_EQ(eval("rawsend(raw, { repeats = 3, fwmark = 5, ifout = 'eth0' })"), "true");
    EXPECT_EQ(eval("rawsend(raw, { repeats = 0, fwmark = 'x', ifout = 7 })"), "true");
    EXPECT_EQ(eval("rawsend(raw, { repeats = '2' })"), "true");
    ASSERT_EQ(sender.sent.size(), 3U);
    EXPECT_EQ(sender.sent[0].mark, 0x40000005U);
    EXPECT_EQ(sender.sent[0].repeats, 3U);
    EXPECT_EQ(sender.sent[0].ifout, "eth0");
    EXPECT_EQ(sender.sent[1].mark, 0x40000000U);
    EXPECT_EQ(sender.sent[1].repeats, 1U);
    EXPECT_EQ(sender.sent[1].ifout, "") << "only a real string counts";
    EXPECT_EQ(sender.sent[2].repeats, 2U);
}

TEST_F(SendApi, Errors) {
    EXPECT_EQ(run("rawsend('bad')"), "test:1: bad ip4/ip6 header");
    EXPECT_EQ(run("rawsend(raw, { repeats = -1 })"), "test:1: rawsend: negative repeats");
    EXPECT_EQ(run("rawsend_dissect(d, 5)"),
              "test:1: bad argument #2 to 'rawsend_dissect' (table expected, got number)");
    EXPECT_EQ(run("rawsend_dissect(d, nil, 5)"),
              "test:1: bad argument #3 to 'rawsend_dissect' (table expected, got number)");
    EXPECT_EQ(run("rawsend_dissect({}, { repeats = -1 }, 5)"), "test:1: rawsend: negative repeats")
        << "options are looked at first";
    EXPECT_TRUE(sender.sent.empty());
    sender.works = false;
    EXPECT_EQ(eval("rawsend(raw)"), "false");
}

TEST_F(SendApi, LengthsInTheHeaderAreNotChecked) {
    EXPECT_EQ(eval("rawsend(raw:sub(1, 20))"), "true");
    EXPECT_EQ(eval("rawsend(raw .. 'more')"), "true");
}

TEST_F(SendApi, Dissect) {
    EXPECT_EQ(eval("rawsend_dissect(d, { ifout = 'lo' }, { badsum = true })"), "true");
    ASSERT_EQ(sender.sent.size(), 1U);
    EXPECT_EQ(to_hex(sender.sent[0].data), "4500001800000000403266b00a0100010a01000261626364");
    EXPECT_EQ(sender.sent[0].ifout, "lo");
}

TEST_F(SendApi, FeedFollowsAConnection) {
    EXPECT_EQ(run(R"lua(
        local t, out = conntrack_feed(segment("client", TH_SYN, 1000))
        assert(out == true and t.pos.client.pcounter == 1 and t.pos.direct == t.pos.client)
        t.lua_state.mark = 5
        local r, out2 = conntrack_feed(reconstruct_dissect(segment("server", TH_SYN + TH_ACK, 5000, 1001)))
        assert(out2 == false and r ~= t and r.lua_state == t.lua_state and r.lua_state.mark == 5)
        assert(r.pos.direct == r.pos.server and r.pos.reverse == r.pos.client)
        assert(select("#", conntrack_feed("xx")) == 2 and conntrack_feed("xx") == nil)
        assert(conntrack_feed(segment("client", TH_ACK, 1001, 5001)) ~= nil)
    )lua"),
              "");
}

TEST_F(SendApi, FirstSynAckIsReversed) {
    EXPECT_EQ(run("local t, out = conntrack_feed(segment('server', TH_SYN + TH_ACK, 1, 2)) "
                  "assert(t ~= nil and out == false)"),
              "");
}

class ServerSendApi : public SendApi {
  protected:
    ServerSendApi() : SendApi({}, true, true) {}
};

TEST_F(ServerSendApi, FeedExchangesTheSides) {
    EXPECT_EQ(run("local t, out = conntrack_feed(segment('client', TH_SYN, 1000)) "
                  "assert(out == true and t.pos.direct == t.pos.server)"),
              "");
}

TEST_F(SendApi, FeedInsideACoroutine) {
    EXPECT_EQ(run("local co = coroutine.wrap(function() "
                  "return conntrack_feed(segment('client', TH_SYN, 1000)) end) "
                  "local t, out = co() assert(type(t) == 'table' and out == true)"),
              "");
    EXPECT_EQ(state.lua(), L());
}

// Of two flows: what a finaliser feeds ends the flow that the table is about.
class SmallTableSendApi : public SendApi {
  protected:
    SmallTableSendApi() : SendApi(two_flows()) {}
    static flow::TableOptions two_flows() {
        flow::TableOptions options;
        options.max_tracks = 2;
        return options;
    }
};

TEST_F(SmallTableSendApi, FeedFromAFinaliserThatRunsWhileATableIsBuilt) {
    EXPECT_EQ(run(R"lua(
        fed = 0
        local function finaliser()
            for port = 1, 4 do
                local other = segment("client", TH_SYN, 1)
                other.tcp.th_sport = 2000 + port
                if conntrack_feed(reconstruct_dissect(other)) then fed = fed + 1 end
            end
        end
        local function rubbish()
            if newproxy then
                getmetatable(newproxy(true)).__gc = finaliser
            else
                setmetatable({}, { __gc = finaliser })
            end
        end
        collectgarbage("setpause", 1)
        collectgarbage("setstepmul", 100000)
        for i = 1, 300 do
            rubbish()
            local own = segment("client", TH_SYN, 1000)
            own.tcp.th_sport = 3000 + i
            local track, outgoing = conntrack_feed(own)
            assert(outgoing and track.pos.client.pcounter == 1 and track.lua_state)
        end
        collectgarbage()
        assert(fed > 0)
    )lua"),
              "");
    EXPECT_LE(connections.size(), 2U);
}

TEST_F(SendApi, FeedErrors) {
    EXPECT_EQ(run("conntrack_feed(5)"), "test:1: invalid packet data type");
    EXPECT_EQ(run("conntrack_feed({}, 5)"),
              "test:1: bad argument #2 to 'conntrack_feed' (table expected, got number)");
}

class UntrackedSendApi : public SendApi {
  protected:
    UntrackedSendApi() : SendApi({}, false) {}
};

TEST_F(UntrackedSendApi, FeedGivesNothing) {
    EXPECT_EQ(run("assert(select('#', conntrack_feed(5)) == 2 and conntrack_feed(5) == nil)"), "");
}

TEST_F(SendApi, SourceAddress) {
    EXPECT_EQ(eval_hex("get_source_ip(pton('127.0.0.1'))"), "7f000001");
    EXPECT_EQ(run("get_source_ip('abc')"), "test:1: invalid IP length 3");
    network.reachable = false;
    EXPECT_EQ(eval("get_source_ip(pton('fd00::1'))"), "nil");
}

TEST_F(SendApi, Interfaces) {
    EXPECT_EQ(eval("get_ifaddrs()"), "nil") << "the system call failed";
    capture::Interface lo, bare;
    lo.name = "lo";
    lo.index = 1;
    lo.mtu = 65536;
    lo.flags = 65609;
    capture::InterfaceAddress v4;
    v4.address = v4.broadcast = v4.destination = *IpAddress::parse("127.0.0.1");
    v4.netmask = *IpAddress::parse("255.0.0.0");
    capture::InterfaceAddress v6;
    v6.address = *IpAddress::parse("::1");
    lo.addresses = {v4, v6};
    bare.name = "eth9";
    network.list.emplace({lo, bare});
    EXPECT_EQ(run(R"lua(
        local t = get_ifaddrs()
        assert(t.eth9 == nil, "no address, not listed")
        assert(t.lo.index == 1 and t.lo.mtu == 65536 and t.lo.flags == 65609 and t.lo.ssid == nil)
        local a = t.lo.addr
        assert(#a == 2 and a[1].addr == "\127\0\0\1" and a[1].netmask == "\255\0\0\0")
        assert(a[1].broadcast == a[1].addr and a[1].dst == a[1].addr)
        assert(#a[2].addr == 16 and a[2].netmask == nil and a[2].broadcast == nil)
    )lua"),
              "");
}

} // namespace
} // namespace nfqws2::lua
