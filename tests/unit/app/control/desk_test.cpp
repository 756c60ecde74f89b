// Parts of the control socket's commands that need no running program; the rest is shown by
// tests/e2e/test_control.py.
#include "app/control/desk.hpp"

#include "../parse_helper.hpp"

#include "app/control/flow_filter.hpp"
#include "app/control/log_keeper.hpp"
#include "app/options/config_file.hpp"

namespace nfqws2::app {
namespace {

// --- options as a file

TEST(OptionsText, MeansTheSameWhenItIsRead) {
    Arguments arguments;
    for (const char* word :
         {"--qnum=200", "--comment=it's \"a\" $HOME * `x` \\ #", "", "a b", "--x"})
        arguments.words.push_back({word});
    const std::string text = options_text(arguments);
    EXPECT_TRUE(text.starts_with("--qnum=200\n'--comment=it'\\''s "));
    const auto words = expand_config(text, "file");
    ASSERT_EQ(words.size(), arguments.words.size());
    for (std::size_t i = 0; i < words.size(); i++)
        EXPECT_EQ(words[i].text, arguments.words[i].text);
}

// --- filters

TEST(FlowFilter, HostsAreMatchedByLabel) {
    EXPECT_TRUE(is_host_below("example.com", "example.com"));
    EXPECT_TRUE(is_host_below("www.example.com", "example.com"));
    EXPECT_FALSE(is_host_below("badexample.com", "example.com"));
    EXPECT_FALSE(is_host_below("com", "example.com"));
    EXPECT_FALSE(is_host_below("", "example.com"));
}

std::string refusal_of(const char* line) {
    std::string error;
    const auto request = control::parse_request(line, &error);
    EXPECT_TRUE(request) << error;
    VirtualClock clock;
    profile::ListStore lists(clock);
    const profile::ProfileSet profiles({}, lists, clock);
    control::Refusal refusal;
    FlowFilter filter;
    return filter.read(*request, profiles, &refusal) ? "" : refusal.text;
}

TEST(FlowFilter, SaysWhatCannotBe) {
    EXPECT_EQ(refusal_of(R"({"cmd":"flows"})"), "");
    EXPECT_EQ(refusal_of(R"({"cmd":"flows","address":"192.0.2.0/24","port":443,"host":"A.b"})"),
              "");
    EXPECT_EQ(refusal_of(R"({"cmd":"flows","address":"2001:db8::1","proto":"udp","l7":"quic"})"),
              "");
    EXPECT_EQ(refusal_of(R"({"cmd":"flows","profile":0})"), "");
    EXPECT_EQ(refusal_of(R"({"cmd":"flows","profile":"no_action"})"), "");
    EXPECT_EQ(refusal_of(R"({"cmd":"flows","profile":1})"), "there is no such profile");
    EXPECT_EQ(refusal_of(R"({"cmd":"flows","address":"x"})"), "'address' is no address or network");
    EXPECT_EQ(refusal_of(R"({"cmd":"flows","address":"192.0.2.0/33"})"),
              "'address' is no address or network");
    EXPECT_EQ(refusal_of(R"({"cmd":"flows","proto":"icmp"})"), "'proto' is 'tcp' or 'udp'");
    EXPECT_EQ(refusal_of(R"({"cmd":"flows","l7":"x"})"), "'l7' is no flow protocol");
    EXPECT_EQ(refusal_of(R"({"cmd":"flows","state":"x"})"),
              "'state' is syn, established, fin, new or answered");
}

// --- messages

TEST(LogKeeper, KeepsTheLastErrors) {
    VirtualClock clock(5'000'000'000);
    LogKeeper keeper(clock);
    keeper.heard(log::Listener::Level::status, "no error\n");
    for (int i = 0; i < 20; i++)
        keeper.heard(log::Listener::Level::error, "\nerror " + std::to_string(i) + "\n");
    keeper.heard(log::Listener::Level::error, std::string(5000, 'x') + "\n");
    EXPECT_EQ(keeper.errors(), 21U);
    const auto messages = keeper.messages();
    ASSERT_EQ(messages.size(), LogKeeper::kept_messages);
    EXPECT_EQ(messages.front().text, "error 5");
    EXPECT_EQ(messages.front().unix_s, 5);
    EXPECT_EQ(messages.back().text.size(), 1024U);
}

TEST(LogKeeper, AnEarHearsWhatItWants) {
    VirtualClock clock;
    LogKeeper keeper(clock);
    Bell bell;
    LogKeeper::Ear plain(keeper, bell, false);
    std::uint64_t lost = 0;
    {
        const LogKeeper::Ear curious(keeper, bell, true);
        EXPECT_TRUE(log::debug_enabled());
    }
    EXPECT_FALSE(log::debug_enabled());
    keeper.heard(log::Listener::Level::debug, "detail\n");
    keeper.heard(log::Listener::Level::status, "news\n");
    const auto lines = plain.take(10, &lost);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].text, "news");
    EXPECT_TRUE(plain.take(10, &lost).empty());
    EXPECT_EQ(lost, 0U);
}

TEST(LogKeeper, ASlowListenerLosesLines) {
    VirtualClock clock;
    LogKeeper keeper(clock);
    Bell bell;
    LogKeeper::Ear ear(keeper, bell, false);
    for (int i = 0; i < 3000; i++)
        keeper.heard(log::Listener::Level::status, std::string(1000, 'x') + "\n");
    std::uint64_t lost = 0;
    EXPECT_LT(ear.take(5000, &lost).size(), 1100U);
    EXPECT_GT(lost, 1900U);
}

} // namespace
} // namespace nfqws2::app
