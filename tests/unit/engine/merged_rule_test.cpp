// Which merged packets pass whole, which are shown to scripts as they are, and which are split.
#include "bulk_flow.hpp"
#include "hellos.hpp"

#include <algorithm>

namespace nfqws2::engine::test {
namespace {

// `look` only looks, and remembers what it saw: packets, counters, bytes. `report` tells it, for an
// answer.
constexpr const char* lookers = R"lua(
local seen = {}
local function note(d)
    local side = d.track.pos.direct
    seen[#seen + 1] = string.format("%d:n%d,d%d,b%d:%d", d.merged or 1, side.pcounter,
                                    side.pdcounter, side.pbcounter, #d.dis.payload)
end
function look(ctx, d) note(d) end
function look_too(ctx, d) note(d) end
function unsaid(ctx, d) note(d) end
function stop(ctx, d) note(d) instance_cutoff(ctx) end
function fail(ctx, d) note(d) error("oops") end
function change(ctx, d) note(d) return VERDICT_MODIFY end
function swallow(ctx, d) note(d) return VERDICT_DROP end
function replace(ctx, d) note(d) packet_replace(ctx, raw_packet(ctx)) end
function chat(ctx, d) note(d) tell("sent") end
function send_instead(ctx, d) note(d) tell("sent") return VERDICT_DROP end
for _, f in ipairs{look, look_too, stop, fail, change, swallow, replace, chat, send_instead} do
    takes_merged(f)
end
function report() tell(table.concat(seen, " ")) seen = {} end
takes_merged(report)
)lua";

// A flow with two packets of data; `words` are about those that go out from the first data on.
struct Looked : Flow {
    explicit Looked(std::vector<std::string> words, const std::string& more_lua = {})
        : Flow(profile(std::move(words)), lookers + more_lua) {
        send(text("x"));
        send(text("x"));
        report();
    }
    static std::vector<std::string> profile(std::vector<std::string> words) {
        words.insert(words.begin(), {"--payload=all", "--out-range=d1-"});
        words.insert(words.end(), {"--in-range=a", "--out-range=x", "--lua-desync=report"});
        return words;
    }
    std::string report() {
        const Lines told = answer(text("x")).told;
        return told.empty() ? "" : told.front();
    }
};

TEST(Merged, SplitWhenScriptsWantThem) {
    Flow f({"--out-range=-d3", "--lua-desync=show"});
    EXPECT_TRUE(f.send_merged(3 * segment).split());
    EXPECT_EQ(f.machine.engine->counters().packets, 3U) << "the handshake; the pieces will come";
    for (int i = 0; i < 4; i++)
        f.send(Buffer(segment, '.'));
    EXPECT_TRUE(f.send_merged(3 * segment).accepted());
}

TEST(Merged, SplitWhenNothingIsKnownOfThem) {
    Flow f(Flow::config({"--filter-tcp=80", "--lua-desync=show"}));
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

// --- shown to scripts as they are

TEST(OneCall, OfAFunctionThatOnlyLooks) {
    Looked f({"--lua-desync=look"});
    EXPECT_TRUE(f.send_merged(2 * segment + 1).accepted());
    EXPECT_EQ(f.report(), "3:n7,d5,b2803:2801");
    EXPECT_TRUE(f.send_merged(2 * segment).accepted());
    EXPECT_EQ(f.send(Buffer(segment, '.')).action, capture::Action::accept);
    EXPECT_EQ(f.report(), "2:n9,d7,b5603:2800 1:n10,d8,b7003:1400");
}

TEST(OneCall, CountsAsItsPieces) {
    for (const std::size_t size : {1401UL, 2800UL, 5000UL, 60000UL}) {
        Looked whole({"--lua-desync=look"}), pieces({"--lua-desync=look"});
        EXPECT_TRUE(whole.send_merged(size).accepted());
        for (std::size_t at = 0; at < size; at += segment)
            pieces.send(Buffer(std::min<std::size_t>(segment, size - at), '.'));
        whole.report();
        pieces.report();
        whole.send(text("x"));
        pieces.send(text("x"));
        EXPECT_EQ(whole.report(), pieces.report()) << size;
    }
}

TEST(OneCall, AlsoOfAnswers) {
    Flow f({"--payload=all", "--in-range=d1-", "--out-range=x", "--lua-desync=look", "--in-range=x",
            "--out-range=a", "--lua-desync=report"},
           lookers);
    f.answer(text("x"));
    f.send(text("x"));
    EXPECT_TRUE(f.answer_merged(3 * segment).accepted());
    EXPECT_EQ(f.send(text("x")).line(), "3:n5,d4,b4201:4200");
}

TEST(OneCall, OfAllWhoAreDue) {
    Looked both({"--lua-desync=look", "--lua-desync=look_too"});
    EXPECT_TRUE(both.send_merged(3 * segment).accepted());
    EXPECT_EQ(both.report(), "3:n7,d5,b4202:4200 3:n7,d5,b4202:4200");
    Looked one({"--lua-desync=look", "--lua-desync=unsaid"});
    EXPECT_TRUE(one.send_merged(3 * segment).split());
    EXPECT_EQ(one.report(), "");
    Looked later({"--lua-desync=look", "--out-range=d100-", "--lua-desync=unsaid"});
    EXPECT_TRUE(later.send_merged(3 * segment).accepted()) << "not due yet";
    Looked over({"--lua-desync=look", "--out-range=-d2", "--lua-desync=unsaid"});
    EXPECT_TRUE(over.send_merged(3 * segment).accepted()) << "no more";
    Looked nobody({"--out-range=d100-", "--lua-desync=unsaid"});
    EXPECT_TRUE(nobody.send_merged(3 * segment).accepted());
    EXPECT_EQ(nobody.report(), "");
}

TEST(OneCall, NotOfAnotherFunctionOfTheName) {
    Looked f({"--lua-desync=look"}, "function look(ctx, d) end");
    EXPECT_TRUE(f.send_merged(3 * segment).split());
}

TEST(OneCall, NotWhereARangeEndsInside) {
    struct Case {
        const char* range;
        bool first, second; // of two packets of three pieces, d3 to d5 and d6 to d8: one call
    };
    constexpr Case cases[] = {
        {"-d5", true, true},     {"-d6", true, false},    {"-d4", false, true},
        {"<d5", false, true},    {"-n7", true, true},     {"-n8", true, false},
        {"d3-", true, true},     {"d4-", false, true},    {"d7-", true, false},
        {"n7-", false, true},    {"b5603-", true, false}, {"b5602-", true, true},
        {"-b4202", true, true},  {"-b4201", false, true}, {"-s2803", true, true},
        {"-s2802", false, true}, {"s4203-", true, true},  {"s4204-", true, false},
        {"-p4203", true, true},  {"d4-d4", false, true},
    };
    for (const Case& c : cases) {
        for (const bool second : {false, true}) {
            Looked f({std::string("--out-range=") + c.range, "--lua-desync=look"});
            for (int i = 0; second && i < 3; i++)
                f.send(Buffer(segment, '.'));
            const Outcome outcome = f.send_merged(3 * segment);
            EXPECT_EQ(outcome.accepted(), second ? c.second : c.first) << c.range << second;
            EXPECT_NE(outcome.accepted(), outcome.split()) << c.range;
        }
    }
}

TEST(OneCall, NotOfWhoWantsCertainPayloads) {
    Looked known({"--payload=http_req", "--lua-desync=look"});
    EXPECT_TRUE(known.send_merged(3 * segment).split());
    Looked unknown({"--payload=unknown", "--lua-desync=look"});
    EXPECT_TRUE(unknown.send_merged(3 * segment).accepted());
}

TEST(OneCall, NotOfMessages) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{segment}, std::size_t{2 * segment}}) {
        Looked f({"--lua-desync=look"});
        Buffer payload(3 * segment, '.');
        std::ranges::copy(request("a.com"), payload.begin() + static_cast<std::ptrdiff_t>(at));
        EXPECT_TRUE(f.send_merged(payload).split()) << at;
    }
}

TEST(OneCall, NotOfTheBeginningOfAStream) {
    Flow f({"--payload=all", "--out-range=d1-", "--lua-desync=look"}, lookers);
    EXPECT_TRUE(f.send_merged(3 * segment).split());
    f.send(text("x"));
    EXPECT_TRUE(f.send_merged(3 * segment).accepted());
    f.sent = 0;
    EXPECT_TRUE(f.send_merged(3 * segment).split()) << "repeated";
}

TEST(OneCall, NotOfMoreThanData) {
    using namespace packet::tcp_flag;
    for (const unsigned flag : {fin, rst, urg}) {
        Looked f({"--lua-desync=look"});
        const Buffer last = f.flow.from_client(Buffer(3 * segment, '.'), f.sent,
                                               static_cast<std::uint8_t>(ack | flag));
        EXPECT_TRUE(f.machine.out_merged(last).split()) << flag;
    }
    Looked f({"--lua-desync=look"});
    EXPECT_TRUE(f.send_merged(segment).split()) << "one piece, whose checksum may be missing";
    EXPECT_TRUE(f.machine.out_merged(udp(client4, server4, "x")).split());
    f.machine.out(udp(client4, server4, "x"));
    EXPECT_TRUE(f.machine.out_merged(udp(client4, server4, "x")).split());
}

TEST(OneCall, NotWhileNamesAreAwaited) {
    Looked host({"--hostlist-exclude-domains=a.com", "--lua-desync=look"});
    EXPECT_TRUE(host.send_merged(3 * segment).split());
    Flow protocol(
        {"--filter-l7=http", "--lua-desync=unsaid", "--new", "--payload=all", "--lua-desync=look"},
        lookers);
    protocol.send(text("x"));
    EXPECT_TRUE(protocol.send_merged(3 * segment).split());
}

TEST(OneCall, NotIfScriptsOfTheOtherDirectionWaitForNames) {
    Flow waiting({"--payload=all", "--lua-desync=look", "--in-range=a", "--out-range=x",
                  "--lua-desync=unsaid"},
                 lookers);
    waiting.send(text("x"));
    EXPECT_TRUE(waiting.send_merged(3 * segment).split());
    waiting.send(hello_record(300, "a.com"));
    EXPECT_TRUE(waiting.send_merged(3 * segment).accepted()) << "both are known";
    Flow over({"--payload=all", "--lua-desync=look", "--in-range=-d1", "--out-range=x",
               "--lua-desync=unsaid"},
              lookers);
    over.send(text("x"));
    over.answer(text("x"));
    EXPECT_TRUE(over.send_merged(3 * segment).split());
    over.answer(text("x"));
    EXPECT_TRUE(over.send_merged(3 * segment).accepted());
}

TEST(OneCall, NotWhileAMessageIsJoined) {
    Looked f({"--lua-desync=look"});
    EXPECT_TRUE(f.send(Bytes(hello_record(3000, "a.com")).first(1000)).dropped());
    EXPECT_TRUE(f.send_merged(3 * segment).split());
}

TEST(OneCall, NotWithConnectionsOrRules) {
    for (const bool with_rules : {false, true}) {
        if (with_rules && !rules::in_this_build()) continue;
        Config config = Flow::config(Looked::profile({"--lua-desync=look"}), lookers);
        if (with_rules)
            config.rules = "[[profile]]\n[[profile.rule]]\nmatch = [ { dport = 9 } ]\n"
                           "action = [ \"drop\" ]\n";
        else
            config.options.ct = packet::CtSource::sim;
        Flow f(std::move(config));
        f.machine.open(f.flow);
        f.send(text("x"));
        EXPECT_TRUE(f.send_merged(3 * segment).split()) << with_rules;
    }
}

TEST(OneCall, NotOfAFlowThatIsOver) {
    Looked f({"--lua-desync=look"});
    f.machine.advance(1000);
    EXPECT_TRUE(f.send_merged(3 * segment).split());
    EXPECT_EQ(f.report(), "");
}

TEST(OneCall, CutoffsAndErrorsAreAsEver) {
    Looked stop({"--out-range=d3-", "--lua-desync=stop"});
    for (int i = 0; i < 2; i++)
        EXPECT_TRUE(stop.send_merged(3 * segment).accepted());
    EXPECT_EQ(stop.report(), "3:n7,d5,b4202:4200");
    const ErrorText errors;
    Looked failing({"--lua-desync=fail"});
    for (int i = 0; i < 2; i++)
        EXPECT_TRUE(failing.send_merged(3 * segment).accepted());
    EXPECT_EQ(failing.report(), "3:n7,d5,b4202:4200 3:n10,d8,b8402:4200");
}

// --- functions that do more than they said

TEST(BrokenWord, WhatChangesAPacketGetsItsPieces) {
    for (const char* function : {"change", "swallow", "replace"}) {
        ErrorText errors;
        Looked f({std::string("--lua-desync=") + function, "--lua-desync=look"});
        EXPECT_TRUE(f.send_merged(3 * segment).split()) << function;
        EXPECT_EQ(f.report(), "3:n7,d5,b4202:4200") << "nobody behind it was asked";
        EXPECT_FALSE(f.send(Buffer(segment, '.')).accepted());
        EXPECT_EQ(f.report().substr(0, 16), "1:n5,d3,b1402:14") << "counted once";
        EXPECT_TRUE(f.send_merged(3 * segment).split());
        EXPECT_EQ(f.report(), "") << "from then on";
        const std::string said = errors.text();
        EXPECT_NE(said.find("takes merged packets"), std::string::npos) << said;
        EXPECT_EQ(f.machine.engine->counters().lua_errors, 1U);
    }
}

TEST(BrokenWord, IsReportedOnce) {
    ErrorText errors;
    Looked f({"--lua-desync=change"});
    f.send_merged(3 * segment);
    const TcpFlow other(Peer{client4.address, 2222});
    f.machine.open(other);
    f.machine.out(other.from_client(text("x"), 0));
    EXPECT_TRUE(f.machine.out_merged(other.from_client(Buffer(3 * segment, '.'), 1)).split());
    const std::string said = errors.text();
    const std::size_t first = said.find("takes merged packets");
    ASSERT_NE(first, std::string::npos);
    EXPECT_EQ(said.find("takes merged packets", first + 1), std::string::npos) << said;
}

TEST(BrokenWord, WhatWasSentIsNotSentAgain) {
    Looked chat({"--lua-desync=chat"});
    const Outcome once = chat.send_merged(3 * segment);
    EXPECT_TRUE(once.accepted());
    EXPECT_EQ(once.told.size(), 1U);
    EXPECT_TRUE(chat.send_merged(3 * segment).split());
    Looked instead({"--lua-desync=send_instead"});
    const Outcome dropped = instead.send_merged(3 * segment);
    EXPECT_TRUE(dropped.dropped()) << "by who has sent it in another way";
    EXPECT_EQ(dropped.told.size(), 1U);
    EXPECT_TRUE(instead.send_merged(3 * segment).split());
}

} // namespace
} // namespace nfqws2::engine::test
