// Every match against the packets of the examples: true, false, turned round, layer absent.
#include "nfqws2/base/text.hpp"
#include "rules/words.hpp"
#include "world.hpp"

namespace nfqws2::rules {
namespace {

using namespace test_packets;

struct Vector {
    const char* match;
    std::vector<Packet> of, not_of;
};

class KnownConnection final : public SubjectConnection {
  public:
    packet::CtState state() override {
        asked++;
        return known;
    }
    std::optional<std::uint32_t> mark() override { return known_mark; }

    packet::CtState known = packet::CtState::established;
    std::optional<std::uint32_t> known_mark = 0x17;
    int asked = 0;
};

TEST(Match, StatesAndMarksOfConnections) {
    const auto holds_with = [](const std::string& match, SubjectConnection* connection) {
        World world("[[profile]]\n[[profile.rule]]\nmatch = [" + match +
                    "]\naction = [\"drop\"]\n");
        world.about.connection = connection;
        return world.drops(U());
    };
    KnownConnection connection;
    EXPECT_TRUE(holds_with(R"({ ctstate = "established" })", &connection));
    EXPECT_TRUE(holds_with(R"({ ctstate = ["new", "established"] })", &connection));
    EXPECT_FALSE(
        holds_with(R"({ ctstate = ["new", "related", "invalid", "untracked"] })", &connection));
    EXPECT_TRUE(holds_with(R"({ not = { ctstate = "invalid" } })", &connection));
    EXPECT_TRUE(holds_with("{ ctmark = 23 }", &connection));
    EXPECT_TRUE(holds_with(R"({ ctmark = "0x7/0xF" })", &connection));
    EXPECT_FALSE(holds_with("{ ctmark = 24 }", &connection));
    connection.known_mark.reset();
    EXPECT_FALSE(holds_with("{ ctmark = \"0/0\" }", &connection));
    EXPECT_FALSE(holds_with(R"({ ctstate = "established" })", nullptr));
    EXPECT_FALSE(holds_with("{ ctmark = 23 }", nullptr));
    connection.asked = 0;
    EXPECT_FALSE(holds_with("{ dport = 99 }, { ctstate = \"established\" }", &connection));
    EXPECT_EQ(0, connection.asked);
}

TEST(Match, OfAnUnknownConnectionNothingHolds) {
    KnownConnection connection;
    connection.known = packet::CtState::unknown;
    connection.known_mark.reset();
    for (const char* match : {R"({ ctstate = ["new", "established"] })", "{ ctmark = 23 }"})
        for (SubjectConnection* asked : {&connection, static_cast<KnownConnection*>(nullptr)})
            for (const std::string& form :
                 {std::string(match), "{ not = " + std::string(match) + " }"}) {
                World world("[[profile]]\n[[profile.rule]]\nmatch = [" + form +
                            "]\naction = [\"drop\"]\n");
                world.about.connection = asked;
                EXPECT_FALSE(world.drops(U())) << form;
            }
    connection.known = packet::CtState::invalid;
    World world("[[profile]]\n[[profile.rule]]\nmatch = [ { not = { ctmark = 23 } } ]\n"
                "action = [\"drop\"]\n");
    world.about.connection = &connection;
    EXPECT_TRUE(world.drops(U())) << "it is known that there is none";
}

// An Ethernet header with these bytes behind the addresses.
Packet link(const std::string& rest) {
    Packet frame = *from_hex("020000000001020000000002" + rest);
    return frame;
}

bool holds_behind(const Packet& frame, const std::string& match, const Packet& packet = U()) {
    World world("[[profile]]\n[[profile.rule]]\nmatch = [" + match + "]\naction = [\"drop\"]\n");
    world.about.link = frame;
    return world.drops(packet);
}

TEST(Match, LinkLayersOfFrames) {
    const Packet none, plain = link("0800"), tagged = link("810020050800"),
                       two = link("88A8000581002006"
                                  "0800"),
                       pppoe = link("8864110000010023"
                                    "0021"),
                       mpls = link("8100000588470000A0400000B140");
    const struct {
        const char* match;
        std::vector<Packet> of, not_of;
    } cases[] = {
        {R"({ protocol = "eth" })", {plain, tagged, two, pppoe, mpls}, {none}},
        {R"({ protocol = "vlan" })", {tagged, two, mpls}, {none, plain, pppoe}},
        {R"({ len = { len = 14, level = "mac", elm = "header" } })", {plain, two, mpls}, {none}},
        {R"({ len = { len = 47, level = "mac" } })", {plain}, {none, tagged}},
        {R"({ len = { len = 37, level = "mac", elm = "payload" } })", {tagged}, {none, plain}},
        {R"({ len = { len = 4, level = "vlan", elm = "header" } })", {tagged, mpls}, {plain, two}},
        {R"({ len = { len = 8, level = "vlan", elm = "header" } })", {two}, {none, tagged}},
        {R"({ len = { len = 33, level = "vlan", elm = "payload" } })",
         {tagged, two},
         {plain, mpls}},
        {R"({ len = { len = 8, level = "encap", elm = "header" } })", {pppoe, mpls}, {none, plain}},
        {R"({ len = { len = 41, level = "encap" } })", {pppoe, mpls}, {none, plain}},
        {R"({ seq = { b64seq = "AgAAAAAC", level = "mac", range = "6-11", elm = "header" } })",
         {plain, two},
         {none}},
        {R"({ seq = { seq = "hello", level = "mac", elm = "packet" } })", {plain, mpls}, {none}}};
    for (const auto& c : cases) {
        const std::string inverted = "{ not = " + std::string(c.match) + " }";
        for (const Packet& frame : c.of) {
            EXPECT_TRUE(holds_behind(frame, c.match)) << c.match << to_hex(frame);
            EXPECT_FALSE(holds_behind(frame, inverted)) << c.match;
        }
        for (const Packet& frame : c.not_of) {
            EXPECT_FALSE(holds_behind(frame, c.match)) << c.match << to_hex(frame);
            EXPECT_TRUE(holds_behind(frame, inverted)) << c.match;
        }
    }
    // Cut anywhere: nothing is read behind the end, what is whole is there.
    for (const Packet& whole : {two, pppoe, mpls})
        for (std::size_t size = 0; size < whole.size(); size++) {
            const Packet cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
            EXPECT_EQ(holds_behind(cut, R"({ protocol = "eth" })"), size >= 14);
        }
}

TEST(Match, VectorsHoldAndTurnRound) {
    const Vector vectors[] = {
        {R"({ src = "10.0.0.0/8" })", {U(), S()}, {V6()}},
        {R"({ src = ["192.0.2.1", "10.0.0.1"] })", {U()}, {V6()}},
        {R"({ src = "2001:db8::/32" })", {V6()}, {U()}},
        {R"({ dst = "192.0.2.11" })", {}, {U()}},
        {R"({ dst = "192.0.2.10" })", {U()}, {V6()}},
        {R"({ dport = 53 })", {U(), V6(), F0()}, {S(), F1(), F2(), I(), E()}},
        {R"({ dport = "6000-6001" })", {C()}, {U()}},
        {R"({ sport = [1, "3999-4001"] })", {U(), G()}, {S()}},
        {R"({ protocol = "udp" })", {U(), V6(), G(), F1()}, {S(), E(), P()}},
        {R"({ protocol = ["tcp", "sctp"] })", {S(), C(), P(), A()}, {U()}},
        {R"({ protocol = "transport" })", {U(), S(), C(), I(), N()}, {E(), GE()}},
        {R"({ protocol = "ipip" })", {P()}, {G(), U()}},
        {R"({ protocol = "gre" })", {G(), GE()}, {P()}},
        {R"({ protocol = "tun" })", {G(), P(), GE()}, {U()}},
        {R"({ protocol = "tun_ipv4" })", {G(), P(), GE()}, {U(), V6()}},
        {R"({ protocol = "tun_net" })", {G()}, {U()}},
        {R"({ protocol = "ah" })", {A()}, {E()}},
        {R"({ protocol = "esp" })", {E()}, {A(), GE()}},
        {R"({ protocol = "sec" })", {A(), E()}, {GE(), U()}},
        {R"({ protocol = "tun_esp" })", {GE()}, {E()}},
        {R"({ protocol = "tun_sec" })", {GE()}, {E()}},
        {R"({ protocol = "ipv6" })", {V6(), N()}, {U()}},
        {R"({ protocol = "net" })", {U(), V6(), F2()}, {}},
        {R"({ protocol = "icmp" })", {I(), J()}, {N()}},
        {R"({ protocol = "icmpv6" })", {N()}, {I()}},
        {R"({ protocol = "eth" })", {}, {U()}},
        {R"({ protocol = "vlan" })", {}, {U()}},
        {R"({ ttl = "60-64" })", {U(), V6()}, {ipv4({"10.0.0.1", "192.0.2.10", 65}, 17, {})}},
        {R"({ len = { len = 33 } })", {U()}, {S()}},
        {R"({ len = { len = "0-8", level = "transport", elm = "header" } })", {U()}, {S(), F1()}},
        {R"({ len = { len = 40, level = "transport", elm = "header" } })", {S()}, {U()}},
        {R"({ len = { len = 5, level = "application" } })", {U(), G()}, {D(), E()}},
        {R"({ len = { len = 4, level = "tun", elm = "header" } })", {G()}, {P(), U()}},
        {R"({ len = { len = 0, level = "tun", elm = "header" } })", {P()}, {G(), U()}},
        {R"({ len = { len = 33, level = "tun_net" } })", {G()}, {U()}},
        {R"({ len = { len = 24, level = "sec", elm = "header" } })", {A()}, {E()}},
        {R"({ frag = "first" })", {F0()}, {F1(), F2(), U()}},
        {R"({ frag = "internal" })", {F1()}, {F0(), F2(), U()}},
        {R"({ frag = "last" })", {F2()}, {F0(), F1(), U()}},
        {R"({ frag = "any" })", {F0(), F1(), F2()}, {U(), V6()}},
        {R"({ frag = "unfrag" })", {U(), V6()}, {F0()}},
        {R"({ frag = "df" })", {ipv4({"10.0.0.1", "192.0.2.10", 64, 0x4000}, 17, {})}, {U(), V6()}},
        {R"({ tcpflags = { flags = ["syn"], mask = ["syn", "ack"] } })", {S()}, {D(), U()}},
        {R"({ tcpflags = { flags = ["psh", "ack"] } })", {D()}, {S(), U(), A()}},
        {R"({ tcpopts = { set = ["MSS"], mask = ["MSS", "SACK"] } })", {S()}, {D(), U()}},
        {R"({ tcpopts = { set = [], mask = ["mss"] } })", {D(), P()}, {S(), U()}},
        {R"({ tcpmss = "1400-1500" })", {S()}, {D(), U()}},
        {R"({ tcpws = 7 })", {S()}, {D()}},
        {R"({ icmp = { type = "unreach", code = "port" } })", {J()}, {I(), N(), U()}},
        {R"({ icmp = { type = ["echo_reply", 8] } })", {I()}, {J()}},
        {R"({ icmp6 = { type = "ns" } })", {N()}, {I()}},
        {R"({ spi = 4096 })", {E()}, {A(), GE()}},
        {R"({ spi = "4096-4097" })", {E(), A()}, {U()}},
        {R"({ tspi = 8192 })", {GE()}, {E()}},
        {R"({ tsrc = "172.16.0.0/12" })", {G(), P()}, {U()}},
        {R"({ tdst = "172.16.0.2" })", {G()}, {U()}},
        {R"({ seq = { seq = "HTTP/1.1" } })", {D()}, {U(), E()}},
        {R"({ seq = { b64seq = "SFRUUA==" } })", {D()}, {U()}},
        {R"({ seq = { seq = "HTTP/1.1", range = "0-7" } })", {}, {D()}},
        {R"({ seq = { seq = "HTTP/1.1", range = "6-13" } })", {D()}, {}},
        {R"({ seq = { seq = "HTTP/1.1", range = "6-12" } })", {}, {D()}},
        {R"({ mark = 0 })", {U()}, {}},
        {R"({ mark = { value = 1, mask = 1 } })", {}, {U()}},
        {R"({ dir = "out" })", {U()}, {}},
        {R"({ fwmark = 0 })", {U()}, {}},
        {R"({ verdict = { ratelimit = "exceed" } })", {}, {U()}},
    };
    for (const Vector& vector : vectors) {
        const std::string turned = std::string("{ not = ") + vector.match + " }";
        for (const Packet& packet : vector.of) {
            EXPECT_TRUE(holds(vector.match, packet)) << vector.match;
            EXPECT_FALSE(holds(turned, packet)) << turned;
        }
        for (const Packet& packet : vector.not_of) {
            EXPECT_FALSE(holds(vector.match, packet)) << vector.match;
            EXPECT_TRUE(holds(turned, packet)) << turned;
        }
    }
}

TEST(Match, SequencesRepeatAtADistance) {
    const Packet packet = ipv4({}, 17, udp(1, 2, "abXab"));
    EXPECT_FALSE(holds(R"({ seq = { seq = "ab", repeat = 2, distance = 2 } })", packet));
    EXPECT_TRUE(holds(R"({ seq = { seq = "ab", repeat = 2, distance = 1 } })", packet));
    EXPECT_FALSE(holds(R"({ seq = { seq = "ab", repeat = 3 } })", packet));
    const Packet overlapping = ipv4({}, 17, udp(1, 2, "aaa"));
    EXPECT_FALSE(holds(R"({ seq = { seq = "aa", repeat = 2 } })", overlapping));
}

TEST(Match, EveryIcmpWordMeansItsNumber) {
    for (const IcmpWord& word : icmp_words()) {
        const auto code = static_cast<std::uint8_t>(word.code < 0 ? 0 : word.code);
        const std::string match = "{ icmp = { type = \"" + std::string(word.name) + "\" } }";
        EXPECT_TRUE(holds(match, ipv4({}, 1, icmp(word.type, code)))) << match;
        EXPECT_FALSE(
            holds(match, ipv4({}, 1, icmp(static_cast<std::uint8_t>(word.type + 1), code))))
            << match;
        for (const Word& of_type : icmp_code_words(word.type)) {
            if (word.code >= 0) continue;
            const std::string with_code = "{ icmp = { type = \"" + std::string(word.name) +
                                          "\", code = \"" + std::string(of_type.name) + "\" } }";
            const auto number = static_cast<std::uint8_t>(of_type.value);
            EXPECT_TRUE(holds(with_code, ipv4({}, 1, icmp(word.type, number)))) << with_code;
            EXPECT_FALSE(holds(with_code,
                               ipv4({}, 1, icmp(word.type, static_cast<std::uint8_t>(number + 1)))))
                << with_code;
        }
    }
    for (const Word& word : icmp6_words()) {
        const std::string match = "{ icmp6 = { type = \"" + std::string(word.name) + "\" } }";
        const auto packet = [](std::uint32_t type) {
            return ipv6("2001:db8::1", "2001:db8::2", 58, icmp(static_cast<std::uint8_t>(type), 0));
        };
        EXPECT_TRUE(holds(match, packet(word.value))) << match;
        EXPECT_FALSE(holds(match, packet(word.value + 1))) << match;
    }
}

TEST(Match, SetsKnowTheirValues) {
    const std::string sets =
        "[set.ours]\nprefixes = [\"192.0.2.0/24\", \"2001:db8:1::/48=7\", \"192.0.2.0/28=9\"]\n";
    EXPECT_TRUE(holds(R"({ pset = { name = "ours", what = "dst" } })", U(), sets));
    EXPECT_FALSE(holds(R"({ pset = { name = "ours" } })", U(), sets));
    EXPECT_TRUE(holds(R"({ pset = { name = "ours", what = "dst", value = 7 } })", V6(), sets));
    EXPECT_FALSE(holds(R"({ pset = { name = "ours", what = "dst", value = 8 } })", V6(), sets));
    EXPECT_TRUE(holds(R"({ pset = { name = "ours", what = "dst", value = 9 } })", U(), sets));
    EXPECT_FALSE(holds(R"({ tpset = { name = "ours", what = "dst" } })", U(), sets));
}

TEST(Match, LocalSetsHideGlobalOnes) {
    World world(R"([set.a]
prefixes = ["10.0.0.0/8"]
[[profile]]
[[profile.rule]]
match = [ { pset = { name = "a" } } ]
action = [ { stats = "local" } ]
[[profile.rule]]
match = [ { pset = { name = "a", class = "global" } } ]
action = [ { stats = "global" } ]
[profile.set.a]
prefixes = ["11.0.0.0/8"]
)");
    world.feed(U());
    EXPECT_EQ(0U, world.counter("local"));
    EXPECT_EQ(1U, world.counter("global"));
}

TEST(Match, DirectionFollowsInterfacesAndLan) {
    const std::string rules = R"(lan = ["10.0.0.0/8"]
[[profile]]
[[profile.rule]]
match = [ { dir = "in" } ]
action = [ { stats = "in" } ]
[[profile.rule]]
match = [ { dir = "out" } ]
action = [ { stats = "out" } ]
[[profile.rule]]
match = [ { ifin = "wan*" }, { ifout = "lan0" } ]
action = [ { stats = "named" } ]
)";
    World world(rules);
    world.about.ifin = "eth0";
    world.feed(ipv4({"192.0.2.1", "198.51.100.1"}, 17, udp(1, 2, "")));
    EXPECT_EQ(1U, world.counter("in"));
    world.about.ifin = "wan0";
    world.about.ifout = "lan0";
    world.feed(ipv4({"192.0.2.1", "10.0.0.5"}, 17, udp(1, 2, "")));
    EXPECT_EQ(2U, world.counter("in"));
    EXPECT_EQ(1U, world.counter("named"));
    world.feed(U()); // from the LAN outwards
    EXPECT_EQ(1U, world.counter("out"));
    world.feed(ipv4({"10.0.0.1", "10.0.0.5"}, 17, udp(1, 2, ""))); // within it: neither
    EXPECT_EQ(2U, world.counter("in"));
    EXPECT_EQ(1U, world.counter("out"));
}

// What comes from the networks behind the router is not in, whatever the queue shows of it.
TEST(Match, DirectionOfOneInterfaceKnowsLan) {
    const struct {
        const char *source, *destination, *with_input, *with_output, *with_both;
    } packets[] = {
        {"10.0.0.5", "10.0.0.1", "", "", ""},           // to the router itself
        {"10.0.0.5", "192.0.2.1", "out", "out", "out"}, // to elsewhere
        {"192.0.2.1", "10.0.0.5", "in", "out", "in"},   // an answer
        {"192.0.2.1", "198.51.100.1", "in", "out", ""}, // to and from the router's own address
    };
    const std::string rules = R"([[profile]]
[[profile.rule]]
match = [ { dir = "in" } ]
action = [ { mark = { value = 1 } }, { mark = { how = "save" } }, "accept" ]
[[profile.rule]]
match = [ { dir = "out" } ]
action = [ { mark = { value = 2 } }, { mark = { how = "save" } }, "accept" ]
)";
    const auto way = [](World& world, const Packet& packet, const char* ifin, const char* ifout) {
        world.about.ifin = ifin;
        world.about.ifout = ifout;
        const auto mark = world.feed(packet).mark;
        return std::string(mark == 1U ? "in" : mark == 2U ? "out" : "");
    };
    World named("lan = [\"10.0.0.0/8\"]\n" + rules), nameless(rules);
    for (const auto& one : packets) {
        const Packet packet = ipv4({one.source, one.destination}, 17, udp(1, 2, ""));
        const std::string what = std::string(one.source) + " > " + one.destination;
        EXPECT_EQ(one.with_input, way(named, packet, "eth0", "")) << what;
        EXPECT_EQ(one.with_output, way(named, packet, "", "eth0")) << what;
        EXPECT_EQ(one.with_both, way(named, packet, "eth0", "eth1")) << what;
        EXPECT_EQ("in", way(nameless, packet, "eth0", "")) << what;
        EXPECT_EQ("out", way(nameless, packet, "", "eth0")) << what;
    }
}

// More extension headers than that are no honest packet.
TEST(Match, SixteenExtensionHeadersAreSteppedOver) {
    const auto with_extensions = [](unsigned count) {
        Packet rest;
        for (unsigned i = 0; i < count; i++)
            rest.insert(rest.end(),
                        {i + 1 < count ? std::uint8_t{60} : std::uint8_t{17}, 0, 1, 4, 0, 0, 0, 0});
        const Packet datagram = udp(4000, 53, "hello");
        rest.insert(rest.end(), datagram.begin(), datagram.end());
        return ipv6("2001:db8::1", "2001:db8::2", 60, rest);
    };
    EXPECT_TRUE(holds("{ dport = 53 }", with_extensions(16)));
    EXPECT_FALSE(holds("{ dport = 53 }", with_extensions(17)));
}

} // namespace
} // namespace nfqws2::rules
