#include "ctl/serve/api.hpp"
#include "ctl/serve/guard.hpp"
#include "ctl/serve/history.hpp"
#include "ctl/serve/page_files.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace nfqws2::ctl {
namespace {

TEST(Guard, PlacesToListenAt) {
    for (const auto& [text, said, loopback] :
         {std::tuple("127.0.0.1:8422", "127.0.0.1:8422", true),
          std::tuple("[::1]:1", "[::1]:1", true), std::tuple("80", "127.0.0.1:80", true),
          std::tuple("localhost:0", "localhost:0", true),
          std::tuple("0.0.0.0:80", "0.0.0.0:80", false), std::tuple("[::]:80", "[::]:80", false),
          std::tuple("192.168.1.1:80", "192.168.1.1:80", false)}) {
        const auto listen = parse_listen(text);
        ASSERT_TRUE(listen) << text;
        EXPECT_EQ(listen->text(), said);
        EXPECT_EQ(listen->loopback(), loopback) << text;
    }
    for (const char* text :
         {"", ":80", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:x", "::1:80", "[::1]", "[::1",
          "[x]:80", "example.com:80", "127.evil.example:80"})
        EXPECT_FALSE(parse_listen(text)) << text;
}

TEST(Guard, NamesOfOthersAreNoHosts) {
    for (const char* host :
         {"localhost", "LocalHost:8422", "127.0.0.1", "192.0.2.1:80", "[::1]", "[::1]:80"})
        EXPECT_TRUE(host_is_allowed(host)) << host;
    for (const char* host : {"", "example.com", "localhost.example.com", "127.0.0.1.example.com:80",
                             "[::1]x", "[::1", "localhost:", "localhost:x", "1.2.3.4:99999", "::1"})
        EXPECT_FALSE(host_is_allowed(host)) << host;
}

TEST(Guard, Secrets) {
    EXPECT_EQ(new_token().size(), 32U);
    EXPECT_NE(new_token(), new_token());
    EXPECT_TRUE(same_secret("abc", "abc"));
    EXPECT_FALSE(same_secret("abc", "abd"));
    EXPECT_FALSE(same_secret("abc", "ab"));
    EXPECT_EQ(cookie("a=1; token=2;token2=3", "token"), "2");
    EXPECT_EQ(cookie("xtoken=1", "token"), "");
    EXPECT_EQ(cookie("token", "token"), "");
    EXPECT_EQ(bearer("Bearer x"), "x");
    EXPECT_EQ(bearer("Basic x"), "");
}

TEST(Api, RequestsHaveOnlyKnownFields) {
    EXPECT_EQ(api_request("flows", {{"host", "a"}, {"port", "443"}}).request,
              (Json{{"cmd", "flows"}, {"host", "a"}, {"port", 443}}));
    EXPECT_EQ(api_request("status", {}).request, (Json{{"cmd", "status"}}));
    for (const char* what : {"stop", "log", "reload", "", "lua"})
        EXPECT_NE(api_request(what, {}).error, "") << what;
    EXPECT_NE(api_request("lists", {{"reload", "true"}}).error, "") << "reading changes nothing";
    EXPECT_NE(api_request("flows", {{"cmd", "stop"}}).error, "");
    EXPECT_NE(api_request("flows", {{"watch", "1"}}).error, "");
    EXPECT_NE(api_request("flows", {{"port", "-1"}}).error, "");
    EXPECT_NE(api_request("flows", {{"host", std::string(1001, 'x')}}).error, "");
}

TEST(Api, ErrorsHaveAStatus) {
    EXPECT_EQ(http_status("forbidden"), 403);
    EXPECT_EQ(http_status("bad-field"), 400);
    EXPECT_EQ(http_status("unknown-command"), 404);
    EXPECT_EQ(http_status("busy"), 503);
    EXPECT_EQ(http_status("something new"), 500);
}

TEST(History, ASampleIsWhatThePageDraws) {
    const Json sample =
        make_sample({Json{{"total", {{"packets", 5}, {"other", 1}}}}},
                    {Json{{"status", {{"uptime_s", 9}, {"memory", {{"rss", 7}}}}}}}, 1.5);
    EXPECT_EQ(sample["packets"], 5);
    EXPECT_EQ(sample["bytes"], 0);
    EXPECT_EQ(sample["uptime_s"], 9);
    EXPECT_EQ(sample["rss"], 7);
    EXPECT_EQ(sample["at"], 1.5);
    EXPECT_FALSE(sample.contains("other"));
}

TEST(History, HoldsAnHourAndBeginsAnewWithTheDaemon) {
    History history;
    for (std::size_t i = 0; i < History::most + 10; i++)
        history.add(Json{{"packets", i}});
    EXPECT_EQ(history.all().size(), History::most);
    history.add(Json{{"packets", 1}});
    EXPECT_EQ(history.all().size(), 1U);
}

TEST(History, WaitersGetWhatIsAdded) {
    History history;
    std::uint64_t seen = history.number();
    EXPECT_FALSE(history.next(seen, std::chrono::milliseconds(1)));
    std::thread adds([&] { history.add(Json{{"packets", 3}}); });
    const auto sample = history.next(seen, std::chrono::minutes(2));
    adds.join();
    ASSERT_TRUE(sample);
    EXPECT_EQ((*sample)["packets"], 3);
    history.add(std::nullopt);
    const auto gone = history.next(seen, std::chrono::minutes(2));
    ASSERT_TRUE(gone);
    EXPECT_TRUE(gone->is_null());
}

TEST(Page, NothingFromOutsideAndNoScriptInMarkup) {
    bool index = false;
    for (std::size_t i = 0; i < page_file_count; i++) {
        const std::string path = page_files[i].path, text = page_files[i].text;
        index = index || path == "/index.html";
        for (const char* outside : {"https://", "//cdn", "url(", "@import"})
            EXPECT_EQ(text.find(outside), std::string::npos) << path;
        if (!path.ends_with(".html")) continue;
        EXPECT_EQ(text.find("onclick"), std::string::npos);
        EXPECT_EQ(text.find("style="), std::string::npos);
        EXPECT_EQ(text.find("<script>"), std::string::npos);
    }
    EXPECT_TRUE(index);
}

} // namespace
} // namespace nfqws2::ctl
