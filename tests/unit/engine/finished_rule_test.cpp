// When a flow is finished.
#include "bulk_flow.hpp"
#include "hellos.hpp"

namespace nfqws2::engine::test {
namespace {

const Lines none{};

TEST(Finished, WithoutScripts) {
    Flow f({"--filter-tcp=80", "--lua-desync=show"});
    EXPECT_TRUE(f.send(text("x")).finished);
    EXPECT_TRUE(f.answer(text("x")).finished);
}

TEST(Finished, NotForEver) {
    Flow f({"--filter-tcp=80", "--lua-desync=show"});
    int told = 0;
    for (int i = 0; i < 1000; i++)
        told += f.send(text("x")).finished ? 1 : 0;
    EXPECT_GT(told, 10);
    EXPECT_LT(told, 100) << "rules that lose the mark would send the same packet back for ever";
    f.machine.open(f.flow);
    EXPECT_TRUE(f.answer(text("x")).finished) << "a new connection";
}

TEST(Finished, NotUnlessAsked) {
    Config config{{"--filter-tcp=80", "--lua-desync=show"}, bulk_script, {}};
    Machine m(std::move(config));
    const TcpFlow flow;
    m.open(flow);
    EXPECT_FALSE(m.out(flow.from_client(text("x"), 0)).finished);
}

TEST(Finished, WhenBothDirectionsAreCutOff) {
    Flow f({"--filter-tcp=443", "--out-range=-d2", "--lua-desync=pass"});
    EXPECT_FALSE(f.send(text("1")).finished);
    EXPECT_FALSE(f.send(text("2")).finished);
    EXPECT_FALSE(f.machine.out(f.flow.from_client({}, 2)).finished) << "d2 still";
    EXPECT_TRUE(f.send(text("3")).finished);
}

TEST(Finished, NotWhileAnswersAreWanted) {
    Flow f({"--out-range=-d1", "--in-range=-d2", "--lua-desync=pass"});
    f.send(text("1"));
    EXPECT_FALSE(f.send(text("2")).finished);
    f.answer(text("1"));
    f.answer(text("2"));
    EXPECT_FALSE(f.send(text("3")).finished) << "no packet has shown yet that it is over";
    EXPECT_TRUE(f.answer(text("3")).finished);
    EXPECT_TRUE(f.send(text("4")).finished);
}

TEST(Finished, WhenScriptsCutThemselvesOff) {
    Flow f({"--in-range=a", "--payload=unknown", "--lua-desync=once"});
    EXPECT_FALSE(f.send(text("1")).finished);
    EXPECT_FALSE(f.send(text("2")).finished) << "one direction";
    EXPECT_TRUE(f.answer(text("1")).finished);
}

TEST(Finished, NotWhenAProfileWaitsForAProtocol) {
    Flow f({"--filter-l7=http", "--lua-desync=show"});
    EXPECT_FALSE(f.send(text("x")).finished);
    EXPECT_FALSE(f.answer(text("x")).finished);
    EXPECT_FALSE(f.send(request("a.com")).finished) << "scripts see every packet";
}

TEST(Finished, WhenTheProtocolIsAnotherOne) {
    Flow f({"--filter-l7=tls", "--lua-desync=show"});
    EXPECT_FALSE(f.send(text("x")).finished);
    EXPECT_TRUE(f.send(request("a.com")).finished);
}

TEST(Finished, NotBeforeTheHostIsKnown) {
    Flow f({"--hostlist-domains=a.com", "--lua-desync=show"});
    EXPECT_FALSE(f.send(text("x")).finished);
    EXPECT_TRUE(f.send(request("b.com")).finished);
}

TEST(Finished, HostsOfOtherPortsDoNotMatter) {
    Flow f({"--filter-tcp=80", "--hostlist-domains=a.com", "--lua-desync=show", "--new",
            "--filter-l3=ipv6", "--hostlist-domains=a.com", "--lua-desync=show"});
    EXPECT_TRUE(f.send(text("x")).finished);
}

TEST(Finished, ProfilesBehindTheOneThatIsSureDoNotMatter) {
    Flow f({"--filter-tcp=443", "--out-range=-d1", "--lua-desync=pass", "--new",
            "--hostlist-domains=a.com", "--lua-desync=show"});
    f.send(text("x"));
    EXPECT_TRUE(f.send(text("x")).finished);
}

TEST(Finished, EachRequestMayNameAListedHost) {
    Flow f({"--hostlist-domains=a.com", "--out-range=-d4", "--lua-desync=show"});
    EXPECT_EQ(f.send(request("a.com")).told.size(), 1U);
    const Outcome other = f.send(request("b.com"));
    EXPECT_EQ(other.told, none);
    EXPECT_FALSE(other.finished);
    EXPECT_EQ(f.send(request("a.com")).told.size(), 1U);
    f.send(request("a.com"));
    EXPECT_FALSE(f.answer(text("x")).finished);
    EXPECT_TRUE(f.send(request("a.com")).finished) << "cut off, so lists do not matter";
}

TEST(Finished, TlsNamesOneHost) {
    Flow f({"--hostlist-exclude-domains=b.com", "--lua-desync=show", "--new", "--filter-l7=tls",
            "--hostlist-domains=a.com", "--lua-desync=show"});
    EXPECT_TRUE(f.send(hello_record(300, "b.com")).finished);
}

TEST(Finished, NotWhileAMessageIsJoined) {
    Flow f({"--filter-tcp=80", "--lua-desync=show"});
    const Buffer hello = hello_record(3000, "a.com");
    EXPECT_TRUE(f.send(Bytes(hello).first(1000)).dropped());
    EXPECT_FALSE(f.answer(text("x")).finished);
}

TEST(Finished, NotWhileAHostIsWatched) {
    const profile::testing::TempDir folder;
    Flow f({"--hostlist-auto=" + folder.write("auto", "a.com\n"), "--lua-desync=show"});
    EXPECT_FALSE(f.send(hello_record(300, "b.com")).finished);
    EXPECT_FALSE(f.answer(Buffer(4096, '.')).finished);
    f.answer(Buffer(1000, '.'));
    EXPECT_TRUE(f.answer(text("x")).finished) << "an answer longer than any block page";
    EXPECT_TRUE(f.send(text("x")).finished);
}

TEST(Finished, NotWhenHostNamesAreCached) {
    Config config{{"--filter-tcp=80", "--lua-desync=show"}, bulk_script, {}};
    config.options.offload = config.options.ipcache_hostname = true;
    Machine m(std::move(config));
    const TcpFlow flow;
    m.open(flow);
    EXPECT_FALSE(m.out(flow.from_client(text("x"), 0)).finished);
    EXPECT_TRUE(m.out(flow.from_client(hello_record(300, "a.com"), 1)).finished);
    EXPECT_FALSE(m.out(udp(client4, server4, "x")).finished) << "names of DNS answers";
}

TEST(Finished, NotWithoutAFlow) {
    Flow f(Flow::config({"--filter-udp=1", "--lua-desync=show"}));
    EXPECT_FALSE(f.send(text("x")).finished) << "its beginning was not seen";
    EXPECT_FALSE(f.machine.out(icmp(client4, server4, 8, 0, text("x"))).finished);
}

TEST(Finished, Datagrams) {
    Flow f({"--out-range=-n2", "--lua-desync=pass"});
    EXPECT_FALSE(f.machine.out(udp(client4, server4, "1")).finished);
    EXPECT_FALSE(f.machine.in(udp(server4, client4, "1")).finished);
    EXPECT_FALSE(f.machine.out(udp(client4, server4, "2")).finished);
    EXPECT_TRUE(f.machine.out(udp(client4, server4, "3")).finished);
}

TEST(Finished, NotWhenDroppedOrModified) {
    Flow f({"--out-range=-d1", "--lua-desync=modify"});
    EXPECT_FALSE(f.send(text("1")).finished);
    EXPECT_TRUE(f.send(text("2")).finished);
}

} // namespace
} // namespace nfqws2::engine::test
