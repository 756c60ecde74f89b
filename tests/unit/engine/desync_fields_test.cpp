// Every field of the `desync` table and of `track`, by kind of packet
// (docs/contracts/lua-bridge.md#the-desync-table). Both ways of building the table are held against
// each other in the lua room's tests.
#include "hellos.hpp"
#include "machine.hpp"

namespace nfqws2::engine::test {
namespace {

// All fields but the dissect, by name; nested ones with a dot. Strings over 20 bytes as lengths.
constexpr const char* show = R"lua(
local function flat(name, v, out)
    if type(v) == "table" then
        local empty = true
        for k, w in pairs(v) do flat(name .. "." .. tostring(k), w, out) empty = false end
        if empty then out[#out + 1] = name .. "={}" end
    elseif type(v) == "string" and (#v > 20 or v:find("[^%w_. -]")) then
        out[#out + 1] = name .. "=#" .. #v
    else
        out[#out + 1] = name .. "=" .. type(v):sub(1, 1) .. ":" .. tostring(v)
    end
end
function show(ctx, d)
    local out = {}
    for k, v in pairs(d) do if k ~= "dis" and k ~= "track" then flat(k, v, out) end end
    table.sort(out)
    tell(table.concat(out, " "))
end
function track(ctx, d)
    local out = {}
    for k, v in pairs(d.track) do if k ~= "pos" and k ~= "t_start" then flat(k, v, out) end end
    for k in pairs(d.track.pos) do out[#out + 1] = "pos." .. k end
    flat("direct", d.track.pos.direct, out)
    table.sort(out)
    tell(table.concat(out, " "))
end
)lua";

Config showing(std::vector<std::string> words = {"--in-range=a", "--lua-desync=show"}) {
    return {std::move(words), show, {}};
}

const std::string common = "arg={} func=s:show func_instance=s:show_1_1 func_n=n:1 fwmark=n:";

TEST(DesyncFields, TcpOut) {
    Machine m(showing());
    EXPECT_EQ(m.process(TcpFlow().syn(), "", "eth0", 0xBFFFFFFF).line(),
              common +
                  "3221225471 ifout=s:eth0 l7payload=s:empty l7proto=s:unknown outgoing=b:true "
                  "profile_n=n:1 reasm_data=s: reasm_offset=n:0 replay=b:false target.ip=#4 "
                  "target.port=n:443 tcp_mss=n:1220");
}

TEST(DesyncFields, TcpInWithNameAndCookie) {
    Machine m(showing({"--name=my", "--cookie=c", "--in-range=a", "--lua-desync=show:x=1:y"}));
    const TcpFlow flow;
    m.out(flow.syn());
    EXPECT_EQ(m.process(flow.syn_ack(), "wan", "lan").line(),
              "arg.x=s:1 arg.y=s: cookie=s:c func=s:show func_instance=s:show_1_1 func_n=n:1 "
              "fwmark=n:0 ifin=s:wan ifout=s:lan l7payload=s:empty l7proto=s:unknown "
              "outgoing=b:false profile_n=n:1 profile_name=s:my reasm_data=s: reasm_offset=n:0 "
              "replay=b:false target.ip=#4 target.port=n:443 tcp_mss=n:1400");
}

TEST(DesyncFields, Udp) {
    Machine m(showing());
    EXPECT_EQ(m.out(udp(client6, server6, "x")).line(),
              common + "0 ifout=s:eth0 l7payload=s:unknown l7proto=s:unknown outgoing=b:true "
                       "profile_n=n:1 reasm_offset=n:0 replay=b:false target.ip6=#16 "
                       "target.port=n:443");
}

TEST(DesyncFields, Quic) {
    Machine m(showing());
    EXPECT_EQ(
        m.out(udp(client4, server4, initial_with(hello_message(400, "a.com"), 0, 400))).line(),
        "arg={} decrypt_data=#400 func=s:show func_instance=s:show_1_1 func_n=n:1 fwmark=n:0 "
        "ifout=s:eth0 l7payload=s:quic_initial l7proto=s:quic outgoing=b:true profile_n=n:1 "
        "reasm_offset=n:0 replay=b:false target.ip=#4 target.port=n:443");
}

TEST(DesyncFields, IcmpAndRawIp) {
    Machine m(showing());
    EXPECT_EQ(m.in(icmp(server4, client4, 8, 0, text("x"))).line(),
              common + "0 ifin=s:eth0 l7payload=s:icmp l7proto=s:unknown outgoing=b:false "
                       "profile_n=n:1 reasm_offset=n:0 replay=b:false target.ip=#4");
    EXPECT_EQ(m.process(raw_ip(client4, server4, 99, {}), "", "").line(),
              common + "0 l7payload=s:unknown l7proto=s:unknown outgoing=b:true profile_n=n:1 "
                       "reasm_offset=n:0 replay=b:false target.ip=#4");
}

// The recorded example: 680 bytes in segments of 300 and 380.
TEST(DesyncFields, Replay) {
    Machine m(showing());
    const TcpFlow flow;
    m.open(flow);
    const Buffer record = hello_record(680, "a.com");
    m.out(flow.from_client(Bytes(record).first(300), 0));
    const Lines told = m.out(flow.from_client(Bytes(record).subspan(300), 300)).told;
    const std::string head = common +
                             "0 ifout=s:eth0 l7payload=s:tls_client_hello l7proto=s:tls "
                             "outgoing=b:true profile_n=n:1 reasm_data=#680 reasm_offset=n:",
                      tail = " replay=b:true replay_piece=n:";
    EXPECT_EQ(told, (Lines{head + "0" + tail +
                               "1 replay_piece_count=n:2 replay_piece_last=b:false "
                               "target.ip=#4 target.port=n:443 tcp_mss=n:1400",
                           head + "300" + tail +
                               "2 replay_piece_count=n:2 replay_piece_last=b:true "
                               "target.ip=#4 target.port=n:443 tcp_mss=n:1400"}));
}

TEST(DesyncFields, Track) {
    Machine m(showing({"--in-range=a", "--lua-desync=track"}));
    const TcpFlow flow;
    EXPECT_EQ(m.out(flow.syn()).line(),
              "direct.pbcounter=n:0 direct.pcounter=n:1 direct.pdcounter=n:0 direct.tcp.mss=n:1460 "
              "direct.tcp.pos=n:0 direct.tcp.rseq=n:0 direct.tcp.rseq_over_2G=b:false "
              "direct.tcp.scale=n:7 direct.tcp.seq0=n:1000 direct.tcp.seq=n:1000 "
              "direct.tcp.uppos=n:0 direct.tcp.uppos_prev=n:0 direct.tcp.winsize=n:64240 "
              "direct.tcp.winsize_calc=n:64240 l7proto=s:unknown lua_in_cutoff=b:false "
              "lua_out_cutoff=b:false lua_state={} pos.client pos.direct pos.dt pos.reverse "
              "pos.server");
    m.in(flow.syn_ack());
    const std::string request = "GET / HTTP/1.1\r\nHost: 10.2.0.1\r\n\r\n";
    const std::string line = m.out(flow.from_client(text(request), 0)).line();
    EXPECT_NE(
        line.find(" hostname=s:10.2.0.1 hostname_is_ip=b:true incoming_ttl=n:57 l7proto=s:http "),
        std::string::npos)
        << line;
    EXPECT_EQ(line.find("ip6_flow"), std::string::npos);
    EXPECT_NE(m.out(TcpFlow(client6, server6).syn()).line().find("direct.ip6_flow=n:1610687301"),
              std::string::npos);
    const std::string datagram = m.out(udp(client6, server6, "abc")).line();
    EXPECT_NE(
        datagram.find("direct.pbcounter=n:3 direct.pcounter=n:1 direct.pdcounter=n:1 l7proto"),
        std::string::npos)
        << datagram; // neither tcp nor ip6_flow
}

TEST(DesyncFields, TimesAreSecondsOfTheBootClock) {
    Machine m({{"--lua-desync=f"},
               "function f(ctx, d) tell(string.format('%.3f %.3f', d.track.t_start - 1.7e9, "
               "d.track.pos.dt)) end",
               {}});
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "0.000 0.000");
    m.advance(2.25);
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "0.000 2.250");
    EXPECT_EQ(m.out(udp(client6, server6, "x")).line(), "2.250 0.000");
}

TEST(DesyncFields, TimeOfAReplayedPieceIsThatOfItsArrival) {
    Machine m(
        {{"--lua-desync=f"},
         "function f(ctx, d) if d.replay then tell(string.format('%.2f', d.track.pos.dt)) end end",
         {}});
    const TcpFlow flow;
    m.open(flow);
    const Buffer record = hello_record(680, "a.com");
    m.advance(1);
    m.out(flow.from_client(Bytes(record).first(300), 0));
    m.advance(0.5);
    EXPECT_EQ(m.out(flow.from_client(Bytes(record).subspan(300), 300)).told,
              (Lines{"1.00", "1.50"}));
}

TEST(DesyncFields, DissectIsOfThePieceAndRawPacketToo) {
    Machine m({{"--lua-desync=f"},
               "function f(ctx, d) if d.replay then tell(#d.dis.payload, #raw_packet(ctx), "
               "d.dis.tcp.th_seq) end end",
               {}});
    const TcpFlow flow;
    m.open(flow);
    const Buffer record = hello_record(680, "a.com");
    m.out(flow.from_client(Bytes(record).first(300), 0));
    EXPECT_EQ(m.out(flow.from_client(Bytes(record).subspan(300), 300)).told,
              (Lines{"300 340 1001", "380 420 1301"}));
}

} // namespace
} // namespace nfqws2::engine::test
