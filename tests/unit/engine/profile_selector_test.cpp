// Choosing the profile, choosing it again, host lists, the ip cache
// (docs/contracts/profiles.md#when-a-profile-is-searched).
#include "hellos.hpp"
#include "machine.hpp"

namespace nfqws2::engine::test {
namespace {

const Lines none{};

constexpr const char* names = R"lua(
function a(ctx, d) tell("a", d.track and d.track.hostname, d.l7proto) end
function b(ctx, d) tell("b", d.track and d.track.hostname, d.l7proto) end
function c(ctx, d) tell("c", d.track and d.track.hostname, d.l7proto) end
function is_ip(ctx, d) tell(d.track.hostname, d.track.hostname_is_ip) end
function ttl(ctx, d) tell(d.track.incoming_ttl) end
)lua";

Config with(std::vector<std::string> words, const std::string& lua = {}) {
    return {std::move(words), names + lua, {}};
}
Config caching(std::vector<std::string> words, const std::string& lua = {}) {
    Config config = with(std::move(words), lua);
    config.options.ipcache_hostname = true;
    return config;
}

// Client data of one flow, one packet behind the other.
class Client {
  public:
    explicit Client(Machine& m, TcpFlow f = TcpFlow()) : machine(m), flow(f) { m.open(flow); }
    Outcome send(const Buffer& payload) {
        const std::uint32_t at = sent_;
        sent_ += static_cast<std::uint32_t>(payload.size());
        return machine.out(flow.from_client(payload, at));
    }
    Outcome ask(const std::string& host) { return send(request(host)); }
    Outcome answer(std::string_view payload) {
        return machine.in(flow.from_server(text(payload), 0));
    }

    Machine& machine;
    TcpFlow flow;

  private:
    std::uint32_t sent_ = 0;
};

// --- profiles

TEST(Selection, FirstMatchingProfileWinsAndIsKept) {
    Machine m(with({"--filter-tcp=80", "--lua-desync=a", "--new", "--filter-tcp=443",
                    "--lua-desync=b", "--new", "--lua-desync=c"}));
    const TcpFlow flow;
    EXPECT_EQ(m.out(flow.syn()).line(), "b nil unknown");
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "c nil unknown");
    EXPECT_EQ(m.out(TcpFlow(client4, {"10.2.0.1", 80}).syn()).line(), "a nil unknown");
}

TEST(Selection, NoUserProfileMeansNoAction) {
    Machine m(with({"--filter-tcp=80", "--lua-desync=drop"}));
    EXPECT_TRUE(m.out(TcpFlow().syn()).accepted());
    EXPECT_TRUE(m.out(icmp(client4, server4, 8, 0, {})).accepted());
}

TEST(Selection, ProtocolChangesTheProfile) {
    Machine m(with({"--filter-l7=http", "--lua-desync=a", "--new", "--lua-desync=b"}));
    Client client(m);
    EXPECT_EQ(client.send(text("not yet ")).line(), "b nil unknown");
    EXPECT_EQ(client.ask("one.com").line(), "a one.com http");
    EXPECT_EQ(client.send(text("whatever")).line(), "a one.com http");
}

TEST(Selection, HostChangesTheProfile) {
    Machine m(with({"--hostlist-domains=one.com", "--lua-desync=a", "--new",
                    "--hostlist-domains=two.com", "--lua-desync=b", "--new", "--lua-desync=c"}));
    EXPECT_EQ(Client(m, TcpFlow({"10.1.0.1", 1})).ask("www.one.com").line(), "a www.one.com http");
    EXPECT_EQ(Client(m, TcpFlow({"10.1.0.1", 2})).ask("two.com").line(), "b two.com http");
    EXPECT_EQ(Client(m, TcpFlow({"10.1.0.1", 3})).ask("three.com").line(), "c three.com http");
    EXPECT_EQ(Client(m, TcpFlow({"10.1.0.1", 4})).send(hello_record(300, "two.com")).line(),
              "b two.com tls");
    EXPECT_EQ(
        m.out(udp(client4, server4, initial_with(hello_message(300, "One.COM"), 0, 300))).line(),
        "a one.com quic");
}

TEST(Selection, LaterHostsAreIgnored) {
    Machine m(with({"--hostlist-domains=one.com", "--lua-desync=a", "--new",
                    "--hostlist-domains=two.com", "--lua-desync=b", "--new", "--lua-desync=c"}));
    Client client(m);
    EXPECT_EQ(client.ask("two.com").line(), "b two.com http");
    m.wait(0);
    EXPECT_EQ(client.send(text("body")).line(), "b two.com http");
}

TEST(Selection, LaterProtocolsAreIgnored) {
    Machine m(
        with({"--filter-l7=http", "--lua-desync=a", "--new", "--filter-l7=tls", "--lua-desync=b"}));
    Client client(m);
    EXPECT_EQ(client.ask("one.com").line(), "a one.com http");
    EXPECT_EQ(client.send(hello_record(300, "two.com")).line(), "a one.com http");
}

TEST(Selection, ChangeMayMeanNoAction) {
    Machine m(with({"--filter-l7=unknown", "--lua-desync=a"}));
    Client client(m);
    EXPECT_EQ(client.send(text("x")).told.size(), 1U);
    EXPECT_EQ(client.ask("one.com").told, none);
    EXPECT_EQ(client.send(text("x")).told, none);
}

TEST(Selection, ChangeClearsCutoffFlagsButNotInstanceCutoffs) {
    Machine m(with({"--filter-l7=http", "--lua-desync=a", "--lua-desync=b", "--new", "--in-range=a",
                    "--out-range=-n3", "--lua-desync=c"}));
    Client client(m);
    EXPECT_EQ(client.send(text("n3")).told, Lines{"c nil unknown"});
    EXPECT_EQ(client.send(text("n4")).told, none); // the flag is set
    EXPECT_EQ(client.ask("one.com").told.size(), 2U);
    EXPECT_EQ(client.send(text("x")).told.size(), 2U);

    // Cutoffs belong to a profile: those of one profile say nothing about the other.
    Machine instances(with({"--filter-l7=http", "--lua-desync=f", "--new", "--lua-desync=f"},
                           "function f(ctx, d) tell(d.func_instance) instance_cutoff(ctx) end"));
    Client other(instances, TcpFlow({"10.1.0.1", 7}));
    EXPECT_EQ(other.ask("one.com").told, Lines{"f_1_1"});
    EXPECT_EQ(other.send(text("x")).told, none);
}

TEST(Selection, WithoutATrackEachPacketChoosesAnew) {
    Config config =
        with({"--filter-l7=http", "--hostlist-domains=one.com", "--lua-desync=a", "--new",
              "--filter-l7=http", "--lua-desync=b", "--new", "--lua-desync=c"});
    config.options.ctrack_disable = true;
    Machine m(config);
    const TcpFlow flow;
    EXPECT_EQ(m.out(flow.from_client(request("one.com"), 0)).line(), "a nil http");
    EXPECT_EQ(m.out(flow.from_client(request("two.com"), 0)).line(), "b nil http");
    EXPECT_EQ(m.out(flow.from_client(text("x"), 0)).line(), "c nil unknown");
}

TEST(Selection, FirstPayloadDecidesTheProtocolOfTheFlow) {
    Machine m(with({"--lua-desync=f"}, "function f(ctx, d) tell(d.l7payload, d.l7proto) end"));
    Client client(m);
    EXPECT_EQ(client.send(hello_record(300, "one.com")).line(), "tls_client_hello tls");
    EXPECT_EQ(client.ask("two.com").line(), "http_req tls");
    EXPECT_EQ(client.send(text("x")).line(), "unknown tls");
}

TEST(Selection, PayloadDisableLetsTheNextProbeMatch) {
    Config config = with({"--lua-desync=f"}, "function f(ctx, d) tell(d.l7payload, d.l7proto) end");
    config.options.payload_disable.set(*protocol::parse_payload_set("xmpp_stream,http_req"));
    Machine m(config);
    Client client(m);
    EXPECT_EQ(client.ask("one.com").line(), "unknown unknown");
    EXPECT_EQ(client.send(hello_record(300, "one.com")).line(), "tls_client_hello tls");
}

TEST(Selection, HostIsNormalised) {
    struct {
        const char *host, *expected;
    } const cases[] = {{"One.com:8080", "one.com false"},
                       {"  one.com", "one.com false"},
                       {"10.2.0.1:80", "10.2.0.1 true"},
                       {"[fd00::2]:80", "fd00::2 true"},
                       {"one.com.", "one.com. false"}};
    for (const auto& c : cases) {
        Machine m(with({"--payload=http_req", "--lua-desync=is_ip"}));
        EXPECT_EQ(Client(m).ask(c.host).line(), c.expected) << c.host;
    }
}

// --- host lists of a flow

TEST(HostLists, ExcludedHostsPass) {
    Machine m(with({"--hostlist-exclude-domains=bad.com", "--lua-desync=a"}));
    EXPECT_EQ(m.out(TcpFlow().syn()).told, none) << "a host list makes the name mandatory";
    Client client(m);
    EXPECT_EQ(client.ask("bad.com").told, none);
    EXPECT_EQ(Client(m, TcpFlow({"10.1.0.1", 5})).ask("good.com").line(), "a good.com http");
}

// An automatic list takes every host; the flow is refused after the check.
TEST(HostLists, NegativeCheckStopsLuaForTheRestOfTheFlow) {
    profile::testing::TempDir dir;
    Machine m(with({"--in-range=a", "--hostlist-auto=" + dir.write("auto.txt", "listed.com\n"),
                    "--lua-desync=a"}));
    Client client(m);
    EXPECT_EQ(client.send(text("x")).told, none); // no name, no automatic list
    EXPECT_EQ(client.ask("unlisted.com").told, none);
    EXPECT_EQ(client.send(text("x")).told, none);
    EXPECT_EQ(client.answer("x").told, none);
    Client listed(m, TcpFlow({"10.1.0.1", 5}));
    EXPECT_EQ(listed.ask("sub.listed.com").line(), "a sub.listed.com http");
    EXPECT_EQ(listed.answer("x").line(), "a sub.listed.com http");
}

// --- host names of the ip cache

TEST(IpCache, HostNamesAreKeptForLaterFlows) {
    Machine m(caching({"--hostlist-domains=one.com", "--in-range=a", "--lua-desync=a", "--new",
                       "--in-range=a", "--lua-desync=b"}));
    Client first(m);
    EXPECT_EQ(first.ask("www.one.com").line(), "a www.one.com http");
    const TcpFlow second({"10.1.0.1", 2});
    EXPECT_EQ(m.out(second.syn()).line(), "a www.one.com unknown"); // from the first packet on
    EXPECT_EQ(m.in(second.syn_ack()).line(), "a www.one.com unknown");
    // Another address knows nothing.
    EXPECT_EQ(m.out(TcpFlow({"10.1.0.1", 3}, {"10.2.0.2", 443}).syn()).line(), "b nil unknown");
    // A later name of a payload replaces the cached one, and the cache's.
    m.out(second.ack());
    EXPECT_EQ(m.out(second.from_client(request("two.com"), 0)).line(), "b two.com http");
    EXPECT_EQ(m.out(TcpFlow({"10.1.0.1", 4}).syn()).line(), "b two.com unknown");
}

TEST(IpCache, IsNotAskedForReversePackets) {
    Machine m(caching({"--in-range=a", "--lua-desync=a"}));
    Client(m, TcpFlow({"10.1.0.1", 9})).ask("one.com");
    const TcpFlow flow;
    EXPECT_EQ(m.in(flow.syn_ack()).line(), "a nil unknown");
    EXPECT_EQ(m.out(flow.ack()).line(), "a nil unknown"); // the search has been done
}

TEST(IpCache, HostNamesAreOffByDefault) {
    Machine m(with({"--lua-desync=a"}));
    Client(m).ask("one.com");
    EXPECT_EQ(m.out(TcpFlow({"10.1.0.1", 2}).syn()).line(), "a nil unknown");
    EXPECT_EQ(m.ip_cache(), Lines{"10.2.0.1 iface=eth0 : ttl 57 hostname= hostname_is_ip=0"});
}

// Deliberately better: the flag is kept (the reference loses it).
TEST(IpCache, KeepsTheFlagOfAddressesAsNames) {
    Machine m(caching({"--lua-desync=is_ip"}));
    Client(m).ask("10.2.0.1");
    EXPECT_EQ(m.out(TcpFlow({"10.1.0.1", 2}).syn()).line(), "10.2.0.1 true");
}

// A name from the cache selects a profile, but no list is checked.
TEST(IpCache, MakesNoListCheck) {
    profile::testing::TempDir dir;
    Machine m(
        caching({"--hostlist-auto=" + dir.write("auto.txt", "other.com\n"), "--lua-desync=a"}));
    Client first(m);
    EXPECT_EQ(first.ask("one.com").told, none);
    Client second(m, TcpFlow({"10.1.0.1", 2}));
    EXPECT_EQ(second.send(text("x")).line(), "a one.com unknown"); // though it is in no list
    EXPECT_EQ(second.ask("one.com").told, none);
}

TEST(IpCache, IsNotUsedInServerMode) {
    Config config = caching({"--in-range=a", "--lua-desync=a"});
    config.options.server = true;
    Machine m(config);
    const TcpFlow flow;
    m.in(flow.syn());
    m.out(flow.syn_ack());
    m.in(flow.from_client(request("one.com"), 0));
    EXPECT_EQ(m.in(TcpFlow({"10.1.0.1", 2}).syn()).line(), "a nil unknown");
    EXPECT_EQ(m.ip_cache(), none);
}

TEST(IpCache, RecordsEnd) {
    Config config = caching({"--lua-desync=a"});
    config.options.ipcache_lifetime = 100;
    Machine m(config);
    Client(m).ask("one.com");
    m.advance(99);
    EXPECT_EQ(m.out(TcpFlow({"10.1.0.1", 2}).syn()).line(), "a one.com unknown");
    m.advance(1); // reading did not prolong it
    EXPECT_EQ(m.out(TcpFlow({"10.1.0.1", 3}).syn()).line(), "a nil unknown");
    EXPECT_EQ(m.ip_cache(), none);
}

Buffer dns_answer(std::string_view hex) {
    return builders::hex(hex);
}
// www.example.com A -> 10.2.0.1, AAAA fd00::2 in two messages.
const char* const answer_a = "123481800001000100000000 03777777076578616d706c6503636f6d00 00010001 "
                             "c00c 0001 0001 0000003c 0004 0a020001";
const char* const answer_aaaa =
    "123481800001000100000000 03777777076578616d706c6503636f6d00 001c0001 "
    "c00c 001c 0001 0000003c 0010 fd000000000000000000000000000002";

TEST(IpCache, LearnsFromDnsAnswers) {
    Machine m(caching({"--lua-desync=a"}));
    const Peer resolver{"10.9.9.9", 53}, asker{"10.1.0.1", 5000};
    m.out(udp(asker, resolver, "query"));
    m.in(udp(resolver, asker, dns_answer(answer_a)));
    m.in(udp(resolver, asker, dns_answer(answer_aaaa)));
    EXPECT_EQ(m.out(TcpFlow().syn()).line(), "a www.example.com unknown");
    EXPECT_EQ(m.out(TcpFlow(client6, server6).syn()).line(), "a www.example.com unknown");
}

// Deliberately better than the reference, as its manual says: from port 53 only.
TEST(IpCache, BelievesPort53Only) {
    Machine m(caching({"--lua-desync=a"}));
    const Peer asker{"10.1.0.1", 5000};
    m.in(udp(Peer{"10.9.9.9", 5353}, asker, dns_answer(answer_a)));
    m.out(udp(asker, Peer{"10.9.9.9", 53}, dns_answer(answer_a)));
    EXPECT_EQ(m.out(TcpFlow().syn()).line(), "a nil unknown");
}

TEST(IpCache, DnsIsNotReadWhenOff) {
    Machine m(with({"--lua-desync=a"}));
    m.in(udp(Peer{"10.9.9.9", 53}, Peer{"10.1.0.1", 5000}, dns_answer(answer_a)));
    for (const std::string& line : m.ip_cache())
        EXPECT_EQ(line.find("example"), std::string::npos);
}

// --- TTL

TEST(IncomingTtl, IsThatOfTheFirstIncomingPacket) {
    Machine m(with({"--in-range=a", "--lua-desync=ttl"}));
    TcpFlow flow;
    EXPECT_EQ(m.out(flow.syn()).line(), "nil");
    EXPECT_EQ(m.in(flow.syn_ack()).line(), "57");
    flow.server_ttl = 50;
    EXPECT_EQ(m.in(flow.from_server(text("x"), 0)).line(), "57");
    EXPECT_EQ(m.out(flow.ack()).line(), "57");
}

TEST(IncomingTtl, IsKnownInServerModeButNotCached) {
    Config config = with({"--in-range=a", "--lua-desync=ttl"});
    config.options.server = true;
    Machine m(config);
    EXPECT_EQ(m.in(TcpFlow().syn()).line(), "64");
    EXPECT_EQ(m.out(TcpFlow().syn_ack()).line(), "64");
    EXPECT_EQ(m.ip_cache(), none);
}

TEST(IncomingTtl, IsCachedByAddressAndInterface) {
    Machine m(with({"--in-range=a", "--lua-desync=ttl"}));
    m.open(TcpFlow());
    EXPECT_EQ(m.ip_cache(), Lines{"10.2.0.1 iface=eth0 : ttl 57 hostname= hostname_is_ip=0"});
    EXPECT_EQ(m.out(TcpFlow({"10.1.0.1", 2}).syn()).line(), "57");
    EXPECT_EQ(m.process(TcpFlow({"10.1.0.1", 3}).syn(), "", "eth1").line(), "nil");
    EXPECT_EQ(m.out(udp({"10.1.0.1", 4}, server4, "x")).line(), "57");
    EXPECT_EQ(m.out(TcpFlow({"10.1.0.1", 5}, {"10.2.0.2", 443}).syn()).line(), "nil");
}

// Deliberately better: what came from the cache gives way to the real value (the reference keeps
// the stale one until the record expires).
TEST(IncomingTtl, CachedValueGivesWayToTheRealOne) {
    Machine m(with({"--in-range=a", "--lua-desync=ttl"}));
    m.open(TcpFlow());
    TcpFlow flow({"10.1.0.1", 2});
    flow.server_ttl = 50;
    EXPECT_EQ(m.out(flow.syn()).line(), "57");
    EXPECT_EQ(m.in(flow.syn_ack()).line(), "50");
    flow.server_ttl = 40;
    EXPECT_EQ(m.in(flow.from_server(text("x"), 0)).line(), "50");
    EXPECT_EQ(m.out(TcpFlow({"10.1.0.1", 3}).syn()).line(), "50");
}

TEST(IncomingTtl, Ipv6HopLimit) {
    Machine m(with({"--in-range=a", "--lua-desync=ttl"}));
    EXPECT_EQ(m.in(udp(server6, client6, text("x"), 99)).line(), "nil"); // the client's packet
    EXPECT_EQ(m.out(udp(client6, server6, text("x"), 64)).line(), "64");
}

// --- ICMP and raw IP read the cache by destination, then by source

TEST(IpCache, NamesForIcmpAndRawIp) {
    Machine m(caching({"--in-range=a", "--hostlist-domains=one.com", "--lua-desync=a", "--new",
                       "--in-range=a", "--lua-desync=b"}));
    Client(m).ask("one.com");
    EXPECT_EQ(m.out(icmp(client4, server4, 8, 0, text("x"))).line(), "a nil unknown");
    EXPECT_EQ(m.in(icmp(server4, client4, 0, 0, text("x"))).line(), "a nil unknown");
    EXPECT_EQ(m.out(raw_ip(client4, server4, 99, text("x"))).line(), "a nil unknown");
    EXPECT_EQ(m.in(raw_ip(server4, client4, 99, text("x"))).line(), "a nil unknown");
    EXPECT_EQ(m.out(raw_ip(client4, {"10.2.0.2", 0}, 99, text("x"))).line(), "b nil unknown");
}

} // namespace
} // namespace nfqws2::engine::test
