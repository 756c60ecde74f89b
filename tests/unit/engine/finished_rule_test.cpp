// When a flow is finished, and which merged packets pass whole.
#include "hellos.hpp"
#include "machine.hpp"

namespace nfqws2::engine::test {
namespace {

constexpr std::uint16_t segment = 1400; // by the MSS of the handshake
const Lines none{};

constexpr const char* script = R"lua(
function once(ctx) instance_cutoff(ctx) end
function show(ctx, d)
    local c, s = d.track.pos.client, d.track.pos.server
    tell(c.pcounter, c.pdcounter, c.pbcounter, c.tcp and c.tcp.rseq, c.tcp and c.tcp.pos,
         c.tcp and c.tcp.uppos_prev, s.pdcounter, s.pbcounter)
end
)lua";

struct Flow {
    explicit Flow(std::vector<std::string> profile, bool server = false)
        : machine(config(std::move(profile))) {
        if (server) return;
        machine.open(flow);
    }
    static Config config(std::vector<std::string> profile) {
        Config c{std::move(profile), script, {}};
        c.options.offload = true;
        return c;
    }
    Outcome send(Bytes payload) {
        const std::uint32_t at = sent;
        sent += static_cast<std::uint32_t>(payload.size());
        return machine.out(flow.from_client(payload, at));
    }
    Outcome send_merged(std::size_t size) {
        const std::uint32_t at = sent;
        sent += static_cast<std::uint32_t>(size);
        Outcome outcome = machine.out_merged(flow.from_client(Buffer(size, '.'), at));
        if (outcome.split()) sent = at;
        return outcome;
    }
    Outcome answer(Bytes payload) {
        const std::uint32_t at = answered;
        answered += static_cast<std::uint32_t>(payload.size());
        return machine.in(flow.from_server(payload, at));
    }
    Outcome answer_merged(std::size_t size) {
        return machine.in_merged(flow.from_server(Buffer(size, '.'), answered));
    }

    Machine machine;
    TcpFlow flow;
    std::uint32_t sent = 0, answered = 0;
};

Buffer request(const std::string& host) {
    return text("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
}

// --- finished

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
    Config config{{"--filter-tcp=80", "--lua-desync=show"}, script, {}};
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
    Config config{{"--filter-tcp=80", "--lua-desync=show"}, script, {}};
    config.options.offload = config.options.ipcache_hostname = true;
    Machine m(std::move(config));
    const TcpFlow flow;
    m.open(flow);
    EXPECT_FALSE(m.out(flow.from_client(text("x"), 0)).finished);
    EXPECT_TRUE(m.out(flow.from_client(hello_record(300, "a.com"), 1)).finished);
    EXPECT_FALSE(m.out(udp(client4, server4, "x")).finished) << "names of DNS answers";
}

TEST(Finished, NotWithoutAFlow) {
    Flow f({"--filter-udp=1", "--lua-desync=show"}, true);
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

// --- merged packets

TEST(Merged, SplitWhenScriptsWantThem) {
    Flow f({"--out-range=-d3", "--lua-desync=show"});
    EXPECT_TRUE(f.send_merged(3 * segment).split());
    EXPECT_EQ(f.machine.engine->counters().packets, 3U) << "the handshake; the pieces will come";
    for (int i = 0; i < 4; i++)
        f.send(Buffer(segment, '.'));
    EXPECT_TRUE(f.send_merged(3 * segment).accepted());
}

TEST(Merged, SplitWhenNothingIsKnownOfThem) {
    Flow f({"--filter-tcp=80", "--lua-desync=show"}, true);
    EXPECT_TRUE(f.send_merged(3000).split()) << "no flow";
    EXPECT_TRUE(f.machine.out_merged(udp(client4, server4, "x")).split()) << "a new flow";
    EXPECT_TRUE(f.machine.out_merged(icmp(client4, server4, 8, 0, text("x"))).split());
    EXPECT_TRUE(f.machine.out_merged(raw_ip(client4, server4, 132, text("x"))).split());
    EXPECT_TRUE(f.machine.out_merged(text("?")).split()) << "longer than the kernel shows";
}

TEST(Merged, OwnPacketsPass) {
    Flow f({"--lua-desync=show"});
    const Buffer own = f.flow.from_client(Buffer(3000, '.'), 0);
    EXPECT_TRUE(f.machine.process(own, "", "eth0", Machine::mark, true).accepted());
}

TEST(Merged, ADirectionAlone) {
    Flow f({"--payload=all", "--out-range=-d1", "--in-range=a", "--lua-desync=show"});
    f.send(hello_record(300, "a.com"));
    f.send(text("x"));
    EXPECT_TRUE(f.send_merged(3 * segment).accepted());
    EXPECT_TRUE(f.answer_merged(3 * segment).split());
}

TEST(Merged, ScriptsOfTheOtherDirectionSeeProtocolAndHost) {
    Flow f({"--payload=all", "--out-range=-d1", "--in-range=a", "--lua-desync=show"});
    f.send(text("x"));
    f.send(text("x"));
    EXPECT_TRUE(f.send_merged(3 * segment).split());
}

TEST(Merged, CountsAsItsPieces) {
    const std::vector<std::string> profile = {"--payload=all",     "--out-range=-d2",
                                              "--lua-desync=pass", "--in-range=a",
                                              "--out-range=x",     "--lua-desync=show"};
    for (const std::size_t size : {1UL, 1399UL, 1400UL, 1401UL, 2800UL, 5000UL, 60000UL}) {
        Flow whole(profile), pieces(profile);
        for (Flow* f : {&whole, &pieces}) {
            f->send(hello_record(300, "a.com"));
            f->send(text("more"));
            f->send(text("and more"));
        }
        EXPECT_TRUE(whole.send_merged(size).accepted());
        for (std::size_t at = 0; at < size; at += segment)
            pieces.send(Buffer(std::min<std::size_t>(segment, size - at), '.'));
        EXPECT_EQ(whole.answer(text("x")).line(), pieces.answer(text("x")).line()) << size;
    }
}

TEST(Merged, TimeStampsMakePiecesSmaller) {
    Flow f({"--payload=all", "--out-range=-d1", "--lua-desync=pass", "--in-range=a",
            "--out-range=x", "--lua-desync=show"});
    f.send(hello_record(300, "a.com"));
    f.send(text("x"));
    Buffer packet = f.flow.from_client(Buffer(4 * (segment - 12), '.'), 301);
    packet.insert(packet.begin() + 40, 12, 1); // options: NOP
    packet[32] = 0x80;                         // header of 32 bytes
    store_be16(packet.data() + 2, static_cast<std::uint16_t>(packet.size()));
    EXPECT_TRUE(f.machine.out_merged(packet).accepted());
    const std::string line = f.answer(text("x")).line();
    EXPECT_EQ(line.substr(0, 4), "8 6 ") << line;
}

TEST(Merged, AnswersOfAFlowWhoseRequestsMatter) {
    Flow f({"--hostlist-domains=a.com", "--payload=http_req", "--lua-desync=show"});
    f.send(request("a.com"));
    f.send(request("b.com"));
    EXPECT_TRUE(f.answer_merged(3 * segment).accepted()) << "no answer names a host";
    EXPECT_TRUE(f.send_merged(3 * segment).split());
}

TEST(Merged, DatagramsPassWhenNobodyCountsThem) {
    Flow f({"--out-range=-n1", "--lua-desync=pass"});
    f.machine.out(udp(client4, server4, "1"));
    f.machine.out(udp(client4, server4, "2"));
    EXPECT_TRUE(f.machine.out_merged(udp(client4, server4, "3")).split());
    f.machine.in(udp(server4, client4, "1"));
    EXPECT_TRUE(f.machine.out_merged(udp(client4, server4, "3")).accepted());
}

} // namespace
} // namespace nfqws2::engine::test
