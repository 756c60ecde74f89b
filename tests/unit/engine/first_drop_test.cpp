// Which dropped packets get a substitute, alone.
#include "engine/first_drop.hpp"
#include "parts.hpp"

namespace nfqws2::engine::test {
namespace {

namespace flag = packet::tcp_flag;

const capture::Verdict dropped{capture::Action::drop, {}};

bool is_substituted(Passage& p, bool held = false, bool server_mode = false) {
    FirstDrop first(server_mode);
    return first.substitute(p, dropped, held).action == capture::Action::modify;
}

TEST(FirstDrop, TheFirstPacketOfAFlowOnly) {
    Parts parts;
    const TcpFlow flow;
    const Buffer syn = flow.syn(), ack = flow.ack();
    Passage first, second;
    parts.enter(first, syn);
    EXPECT_TRUE(is_substituted(first));
    parts.enter(second, ack);
    EXPECT_FALSE(is_substituted(second));
}

TEST(FirstDrop, TheServersSideCountsItsOwn) {
    Parts parts;
    const TcpFlow flow;
    const Buffer syn = flow.syn(), answer = flow.syn_ack();
    parts.count(syn);
    Passage p;
    parts.enter(p, answer);
    set_flow_direction(p, true, true); // --server
    EXPECT_TRUE(is_substituted(p, false, true));
    set_flow_direction(p, true, false);
    EXPECT_FALSE(is_substituted(p, false, true)) << "it comes in";
}

TEST(FirstDrop, WithoutAFlowAHandshakeIsFirst) {
    const struct {
        std::uint8_t flags;
        bool want;
    } cases[] = {{flag::syn, true},
                 {flag::syn | flag::ack, true},
                 {flag::ack, false},
                 {flag::syn | flag::fin, false},
                 {flag::rst, false}};
    for (const auto& c : cases) {
        const Buffer packet = tcp(client4, server4, {.flags = c.flags});
        Passage p;
        p.dis = packet::dissect(packet);
        EXPECT_EQ(is_substituted(p), c.want) << int{c.flags};
    }
    const Buffer datagram = udp(client4, server4, text("x"));
    Passage p;
    p.dis = packet::dissect(datagram);
    EXPECT_FALSE(is_substituted(p));
}

TEST(FirstDrop, NoHostAcceptsTheSubstitute) {
    for (const auto& [client, server] :
         {std::pair(client4, server4), std::pair(client6, server6)}) {
        const Buffer packet = tcp(client, server, {.flags = flag::syn});
        Passage p;
        p.dis = packet::dissect(packet);
        FirstDrop first(false);
        const packet::Dissect is = packet::dissect(first.substitute(p, dropped, false).data);
        EXPECT_EQ(is.packet.size(), packet.size());
        EXPECT_EQ(is.l4proto, 255);
        EXPECT_EQ(is.ttl(), 1);
    }
}

TEST(FirstDrop, OtherVerdictsStay) {
    Parts parts;
    const Buffer syn = TcpFlow().syn();
    Passage p;
    parts.enter(p, syn);
    FirstDrop first(false);
    EXPECT_EQ(first.substitute(p, {}, false).action, capture::Action::accept);
}

TEST(FirstDrop, AHeldDatagramThatComesIn) {
    Parts parts;
    const Buffer datagram = udp(client4, server4, text("x"));
    Passage p;
    parts.enter(p, datagram);
    p.incoming = true;
    EXPECT_FALSE(is_substituted(p));
    EXPECT_TRUE(is_substituted(p, true));
}

} // namespace
} // namespace nfqws2::engine::test
