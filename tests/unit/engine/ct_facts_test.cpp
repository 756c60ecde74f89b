#include "engine/ct_facts.hpp"

#include "engine/passage.hpp"
#include "parts.hpp"

#include <cerrno>

namespace nfqws2::engine::test {
namespace {

namespace tf = packet::tcp_flag;

constexpr const char* show_lua = R"lua(
function show(ctx, d)
    tell(d.ct.state .. (d.ct.dir and "/" .. d.ct.dir or ""))
end
function name(ctx, d) tell(d.arg.n) end
function mark(ctx, d)
    if d.ct.state == "new" then tell(ct_set(ctx, {mark = 0x15})) end
end
)lua";

Config with(std::vector<std::string> profile, const std::string& lua = "") {
    Config config{std::move(profile), show_lua + lua, {}};
    config.options.ct = packet::CtSource::sim;
    config.options.ct_ftp_ports = {21};
    return config;
}

constexpr Peer query_client{"10.1.0.1", 5000}, query_server{"10.2.0.1", 53};

TEST(CtFacts, StatesOfAConnection) {
    Machine m(with({"--in-range=a", "--lua-desync=show"}));
    const TcpFlow f;
    EXPECT_EQ(m.out(f.syn()).line(), "new/original");
    EXPECT_EQ(m.out(f.syn()).line(), "new/original");
    EXPECT_EQ(m.in(f.syn_ack()).line(), "established/reply");
    EXPECT_EQ(m.out(f.ack()).line(), "established/original");
    EXPECT_EQ(m.out(f.from_client(text("x"), 0)).line(), "established/original");
    EXPECT_EQ(m.in(f.from_server({}, 0, tf::fin | tf::ack)).line(), "established/reply");
    EXPECT_EQ(m.in(f.from_server({}, 1, tf::rst)).line(), "established/reply");
}

TEST(CtFacts, ErrorsOfUdp) {
    Machine m(with({"--in-range=a", "--lua-desync=show"}));
    const Buffer query = udp(query_client, query_server, "q");
    EXPECT_EQ(m.out(query).line(), "new/original");
    EXPECT_EQ(m.out(query).line(), "new/original");
    EXPECT_EQ(m.in(udp(query_server, query_client, "a")).line(), "established/reply");
    EXPECT_EQ(m.out(query).line(), "established/original");
    EXPECT_EQ(m.in(icmp({"10.2.0.1"}, {"10.1.0.1"}, 3, 3, query)).line(), "related/reply");
    const Buffer foreign = udp({"10.1.0.1", 5001}, query_server, "q");
    EXPECT_EQ(m.in(icmp({"10.2.0.1"}, {"10.1.0.1"}, 3, 3, foreign)).line(), "invalid");
}

TEST(CtFacts, FieldsOfTheTable) {
    Machine m(with({"--lua-desync=f"}, R"lua(
        function f(ctx, d)
            local c = d.ct
            tell(c.source, c.exact, c.mark, c.zone, c.status, next(c.flags), c.timeout, c.helper,
                 c.tcp_state, c.nat, c.start, c.labels, c.master)
            tell(c.orig.proto, ntop(c.orig.src), c.orig.sport, ntop(c.reply.src), c.reply.dport,
                 c.counters.orig.packets, c.counters.reply.bytes, c.orig.icmp_type)
            local l = ct_lookup{proto = 6, src = c.orig.dst, dst = c.orig.src,
                                sport = c.orig.dport, dport = c.orig.sport}
            tell(l.id == c.id, l.state, l.source)
            tell(ct_lookup{proto = 6, src = c.orig.src, dst = c.orig.dst, sport = 1, dport = 2})
        end)lua"));
    const TcpFlow f;
    EXPECT_EQ(m.out(f.syn()).told,
              (Lines{"sim false 0 nil 0 nil 120 nil syn_sent nil nil nil nil",
                     "6 10.1.0.1 1111 10.2.0.1 1111 1 0 nil", "true nil sim", "nil not found 2"}));
}

TEST(CtFacts, NothingWithoutTheOption) {
    Config config{{"--lua-desync=f"},
                  R"lua(
        function f(ctx, d)
            tell(d.ct, pcall(ct_set, ctx, {mark = 1}))
            tell(pcall(ct_lookup, {proto = 6}))
        end)lua",
                  {}};
    Machine m(std::move(config));
    const Outcome seen = m.out(TcpFlow().syn());
    ASSERT_EQ(seen.told.size(), 2U);
    EXPECT_TRUE(seen.told[0].starts_with("nil false")) << seen.told[0];
    EXPECT_NE(seen.told[0].find("ct_set: --ct is off"), std::string::npos);
    EXPECT_NE(seen.told[1].find("ct_lookup: --ct is off"), std::string::npos);
}

TEST(CtFacts, ProfileByTheStateOfTheFirstPacket) {
    Machine m(with({"--filter-ctstate=related", "--lua-desync=name:n=r", "--new",
                    "--filter-ctstate=new", "--in-range=a", "--lua-desync=name:n=n"}));
    const Peer client{"10.77.1.2", 40000}, server{"10.77.2.2", 21};
    const TcpFlow control(client, server);
    EXPECT_EQ(m.out(control.syn()).line(), "n");
    EXPECT_EQ(m.in(control.syn_ack()).line(), "n"); // although this one is established
    EXPECT_EQ(m.out(control.ack()).line(), "n");
    EXPECT_EQ(m.out(control.from_client(text("GET / HTTP/1.1\r\nHost: a.b\r\n\r\n"), 0)).line(),
              "n");
    m.in(control.from_server(text("227 Entering Passive Mode (10,77,2,2,195,180)\r\n"), 0));
    EXPECT_EQ(m.out(TcpFlow({"10.77.1.2", 40001}, {"10.77.2.2", 50100}).syn()).line(), "r");
}

TEST(CtFacts, InstancesByStateOfThePacket) {
    Machine m(with(
        {"--ct-state=new", "--lua-desync=name:n=x", "--ct-state=~new", "--lua-desync=name:n=y"}));
    const Buffer query = udp(query_client, query_server, "q");
    EXPECT_EQ(m.out(query).line(), "x");
    EXPECT_EQ(m.out(query).line(), "x");
    m.in(udp(query_server, query_client, "a"));
    EXPECT_EQ(m.out(query).line(), "y");
}

TEST(CtFacts, SkippedInstancesAreNotCutOff) {
    Machine m(with({"--ct-state=established", "--lua-desync=name:n=x"}));
    const TcpFlow f;
    EXPECT_EQ(m.out(f.syn()).told, Lines{});
    m.in(f.syn_ack());
    EXPECT_EQ(m.out(f.ack()).line(), "x");
}

TEST(CtFacts, ThePlanNamesStates) {
    Machine m(with(
        {"--lua-desync=plan", "--lua-desync=show", "--ct-state=new,invalid", "--lua-desync=show"},
        R"lua(
        function plan(ctx, d)
            local p = execution_plan(ctx)
            tell(p[1].ct_state, p[2].ct_state.new, p[2].ct_state.invalid, p[2].ct_state.related)
            execution_plan_cancel(ctx)
        end)lua"));
    EXPECT_EQ(m.out(TcpFlow().syn()).line(), "nil true true nil");
}

TEST(CtFacts, MarkSetInTheFirstPacketIsSeenByTheLaterSearch) {
    Machine m(with(
        {"--filter-ctmark=0x10/0xF0", "--lua-desync=name:n=marked", "--new", "--lua-desync=mark"}));
    const TcpFlow f;
    EXPECT_EQ(m.out(f.syn()).line(), "true");
    m.in(f.syn_ack());
    EXPECT_EQ(m.out(f.ack()).told, Lines{});
    EXPECT_EQ(m.out(f.from_client(text("GET / HTTP/1.1\r\nHost: a.b\r\n\r\n"), 0)).line(),
              "marked");
}

TEST(CtFacts, ADroppedFirstPacketLeavesNothing) {
    Machine m(with({"--lua-desync=show", "--lua-desync=drop"}));
    const Buffer query = raw_ip({"10.1.0.1"}, {"10.2.0.1"}, 47, text("x"));
    EXPECT_EQ(m.out(query).line(), "new/original");
    EXPECT_EQ(m.in(raw_ip({"10.2.0.1"}, {"10.1.0.1"}, 47, text("y"))).told, Lines{});
    Machine kept(with({"--lua-desync=f", "--lua-desync=drop"}, R"lua(
        function f(ctx, d) tell(d.ct.state, d.ct.counters.orig.packets) end)lua"));
    EXPECT_EQ(kept.out(query).line(), "new 1");
    EXPECT_EQ(kept.out(query).line(), "new 1");
}

// --- asked of a kernel

class FakeKernel final : public capture::CtRequests {
  public:
    std::optional<Answer> get(const packet::CtTuple& tuple, std::uint16_t, int* error) override {
        asked++;
        *error = failure;
        if (!entry) return std::nullopt;
        Answer answer{*entry, tuple == entry->reply};
        return answer;
    }
    int update(const packet::CtTuple&, std::uint16_t, const packet::CtChanges& changes) override {
        updates++;
        if (!entry) return failure;
        entry->mark = changes.changed_mark(entry->mark.value_or(0));
        return 0;
    }
    int expect(const packet::CtTuple&, const packet::CtExpectation&) override { return EEXIST; }

    std::optional<packet::Connection> entry;
    int failure = ENOENT;
    unsigned asked = 0, updates = 0;
};

class KernelFacts : public ::testing::Test {
  protected:
    // What the facts say of a packet, as the pipeline asks for them.
    const packet::CtFacts& see(const Buffer& packet, std::uint32_t mark = 0) {
        p.emplace();
        bytes = packet;
        p->raw = bytes;
        p->dis = packet::dissect(bytes);
        p->mark = mark;
        facts.arrives(*p);
        return facts.facts(*p);
    }
    static Options options(packet::CtSource source) {
        Options o;
        o.ct = source;
        o.ct_state_mark = 0x07000000;
        return o;
    }
    Services services() {
        Services all;
        all.sender = &wire;
        all.profiles = parts.profiles.get();
        all.ct_requests = &kernel;
        return all;
    }
    static packet::Connection connection() {
        packet::Connection c;
        c.orig = *flow::ct_tuple_of(packet::dissect(query));
        c.reply = flow::ct_reply_to(c.orig);
        c.id = 7;
        c.mark = 0;
        c.status = packet::ct_status::confirmed;
        return c;
    }

    inline static const Buffer query = udp(query_client, query_server, "q"),
                               reply = udp(query_server, query_client, "a");
    Parts parts{{}, {"--filter-udp=53"}};
    Wire wire;
    FakeKernel kernel;
    CtFacts facts{options(packet::CtSource::netlink),
                  packet::CtSource::netlink,
                  CtFacts::For::everybody,
                  services(),
                  nullptr,
                  parts.clock};
    Buffer bytes;
    std::optional<Passage> p;
};

TEST_F(KernelFacts, WhatIsNotInTheTable) {
    EXPECT_EQ(see(query).state, packet::CtState::fresh);
    EXPECT_FALSE(p->ct->facts.exact);
    EXPECT_EQ(see(TcpFlow().syn_ack()).state, packet::CtState::invalid);
    kernel.failure = EAGAIN;
    EXPECT_EQ(see(query).state, packet::CtState::unknown);
    EXPECT_EQ(kernel.asked, 3U);
    facts.facts(*p);
    facts.state(*p);
    EXPECT_EQ(kernel.asked, 3U); // once a packet
}

TEST_F(KernelFacts, WhatIsInTheTable) {
    kernel.entry = connection();
    EXPECT_EQ(see(query).state, packet::CtState::fresh);
    EXPECT_TRUE(p->ct->facts.exact);
    EXPECT_EQ(see(reply).state, packet::CtState::established);
    EXPECT_EQ(p->ct->facts.direction, packet::CtDirection::reply);
    *kernel.entry->status |= packet::ct_status::seen_reply;
    EXPECT_EQ(see(query).state, packet::CtState::established);
    *kernel.entry->status = packet::ct_status::expected;
    EXPECT_EQ(see(query).state, packet::CtState::related);
}

TEST_F(KernelFacts, TheMarkSaysItBetter) {
    const std::pair<std::uint32_t, packet::CtState> rows[] = {
        {1, packet::CtState::fresh},     {2, packet::CtState::established},
        {3, packet::CtState::related},   {4, packet::CtState::invalid},
        {5, packet::CtState::untracked}, {0, packet::CtState::fresh},
        {6, packet::CtState::fresh},     {7, packet::CtState::fresh},
    };
    for (const auto& [value, state] : rows) {
        EXPECT_EQ(see(query, value << 24 | 0xFF).state, state) << value;
        EXPECT_EQ(p->ct->facts.exact, value >= 1 && value <= 5) << value;
    }
}

TEST_F(KernelFacts, ChangesWaitForTheTable) {
    packet::CtChanges changes;
    changes.mark = 5;
    see(query);
    EXPECT_EQ(facts.set(*p, changes), nullptr);
    EXPECT_EQ(kernel.updates, 0U); // behind the verdict
    facts.batch_ended();
    EXPECT_EQ(kernel.updates, 1U);
    facts.batch_ended();
    EXPECT_EQ(kernel.updates, 1U); // not before another packet
    kernel.entry = connection();
    see(reply);
    facts.batch_ended();
    EXPECT_EQ(kernel.updates, 2U);
    EXPECT_EQ(*kernel.entry->mark, 5U);
    see(query);
    facts.batch_ended();
    EXPECT_EQ(kernel.updates, 2U);
}

TEST_F(KernelFacts, ChangesAreGivenUp) {
    packet::CtChanges changes;
    changes.mark = 5;
    see(query);
    facts.set(*p, changes);
    const ErrorText error;
    for (unsigned i = 0; i < 10; i++) {
        facts.batch_ended();
        see(query);
    }
    EXPECT_EQ(kernel.updates, 4U);
}

TEST_F(KernelFacts, ChangesDoNotWaitForEver) {
    packet::CtChanges changes;
    changes.mark = 5;
    see(query);
    facts.set(*p, changes);
    facts.batch_ended();
    EXPECT_EQ(kernel.updates, 1U);
    const ErrorText error;
    parts.clock.advance_to(parts.clock.boot_ns() + 61'000'000'000);
    facts.batch_ended();
    kernel.entry = connection();
    see(query);
    facts.batch_ended();
    EXPECT_EQ(kernel.updates, 1U);
}

TEST_F(KernelFacts, OfAPacketOfAScriptsQueue) {
    kernel.entry = connection();
    capture::InputPacket packet;
    packet.data = query;
    EXPECT_EQ(facts.facts().state, packet::CtState::unknown);
    facts.arrives(packet);
    EXPECT_EQ(kernel.asked, 0U); // nobody wants to know
    EXPECT_EQ(facts.facts().state, packet::CtState::fresh);
    EXPECT_EQ(*facts.facts().connection->id, 7U);
    EXPECT_EQ(kernel.asked, 1U);
    facts.leaves(false);
    EXPECT_FALSE(facts.facts().connection);
}

TEST_F(KernelFacts, APacketOfAScriptsQueueIsKnownBehindOneOfAnother) {
    kernel.entry = connection();
    capture::InputPacket packet;
    packet.data = query;
    facts.arrives(packet);
    facts.arrives(packet); // in a callback of the first
    facts.leaves(false);
    EXPECT_TRUE(facts.facts().connection);
    facts.leaves(false);
    EXPECT_FALSE(facts.facts().connection);
}

TEST_F(KernelFacts, WithoutAConnectionNothingCanBeSet) {
    see(query, 4U << 24);
    EXPECT_STREQ(facts.set(*p, {}), "the packet has no connection");
    see(query);
    EXPECT_EQ(facts.expect(*p, {}), ENOENT);
    int error = 0;
    EXPECT_FALSE(facts.find({}, 0, &error));
    EXPECT_EQ(error, ENOENT);
}

// Rules ask before the flow was looked for: that is not asked again.
TEST_F(KernelFacts, WhatRulesHaveAskedIsKept) {
    see(query);
    kernel.entry = connection();
    kernel.entry->mark = 7;
    kernel.asked = 0;
    p->ct.reset();
    EXPECT_EQ(facts.foreseen(*p, false).state, packet::CtState::fresh);
    EXPECT_EQ(facts.foreseen(*p, true).connection->mark, std::optional<std::uint32_t>(7));
    facts.arrives(*p);
    EXPECT_EQ(facts.state(*p), packet::CtState::fresh);
    EXPECT_EQ(kernel.asked, 1U);
    facts.arrives(*p); // another packet
    facts.state(*p);
    EXPECT_EQ(kernel.asked, 2U);
}

TEST_F(KernelFacts, FromTheQueue) {
    CtFacts queue(options(packet::CtSource::queue), packet::CtSource::queue,
                  CtFacts::For::everybody, services(), nullptr, parts.clock);
    see(query);
    queue.arrives(*p); // without the attributes
    EXPECT_EQ(queue.state(*p), packet::CtState::invalid);
    EXPECT_FALSE(p->ct->facts.exact);
    queue.arrives(*p);
    p->ct_info = 3;
    const std::uint8_t nothing[4] = {4, 0, 0, 0};
    p->ct_attribute = nothing;
    EXPECT_EQ(queue.state(*p), packet::CtState::established);
    EXPECT_TRUE(p->ct->facts.exact);
    EXPECT_EQ(p->ct->facts.direction, packet::CtDirection::reply);
}

TEST(CtFacts, ErrorsOfArguments) {
    Machine m(with({"--lua-desync=f"}, R"lua(
        function f(ctx, d)
            local function try(fn, ...)
                local ok, e = pcall(fn, ...)
                tell((tostring(e):gsub("^.-:%d+: ", ""):gsub("\n.*", "")))
            end
            try(ct_set, ctx, {nope = 1})
            try(ct_set, ctx, {mark = -1})
            try(ct_set, ctx, {status = 8})
            try(ct_set, ctx, {labels = "x"})
            try(ct_lookup, {proto = 6, src = "x", dst = "y"})
            try(ct_expect, ctx, {dport = 1})
            tell(ct_expect(ctx, {dst = "\1\2\3\4", dport = 1}))
        end)lua"));
    const Outcome seen = m.out(TcpFlow().syn());
    EXPECT_EQ(
        seen.told,
        (Lines{"ct_set: unknown field 'nope'", "ct_set: mark out of range",
               "ct_set: status out of range", "ct_set: labels is not 16 bytes",
               "ct_lookup: src is not an address of 4 or 16 bytes", "ct_expect: dst is missing",
               "nil the connection has no helper: assign one by a firewall rule 95"}));
}

} // namespace
} // namespace nfqws2::engine::test
