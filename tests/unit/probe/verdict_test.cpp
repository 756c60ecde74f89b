#include "probe/verdict.hpp"

#include <gtest/gtest.h>

using namespace nfqws2::probe;

TEST(Verdict, RedirectsToTheSiteItself) {
    for (const char* const place :
         {"/login", "login", "", "http://blocked.test/", "https://BLOCKED.test",
          "//www.Blocked.test:8/x", "HTTPS://user@a.b.blocked.test?x", "http://blocked.test#x"}) {
        EXPECT_TRUE(redirect_is_own(place, "Blocked.test")) << place;
    }
    for (const char* const place :
         {"http://other.test/", "http://blockedxtest/", "http://blocked.test.evil/",
          "https://xblocked.test", "//blocked.test@evil.test/", "http://", "http://test"}) {
        EXPECT_FALSE(redirect_is_own(place, "blocked.test")) << place;
    }
}

TEST(Verdict, JudgesAnswers) {
    Attempt attempt;
    attempt.status = 302;
    judge_http(attempt, "http://warning.test/", "blocked.test");
    EXPECT_EQ(attempt.code, 254);
    EXPECT_EQ(attempt.error, "suspicious redirection 302 to : http://warning.test/");
    for (const long status : {200, 303, 304, 404, 500}) {
        Attempt other;
        other.status = status;
        judge_http(other, "http://warning.test/", "blocked.test");
        EXPECT_EQ(other.code, 0) << status;
    }
    Attempt fakes;
    fakes.status = 400;
    judge_http(fakes, "", "blocked.test");
    EXPECT_EQ(fakes.code, 254);
    EXPECT_EQ(fakes.error, "http code 400. likely the server received fakes.");
}

TEST(Verdict, IsALine) {
    const Attempt attempt{28, 200, 5, 2001, true, "192.0.2.1", "curl: (28) a\nb\x1b[1m\xc3"};
    EXPECT_EQ(attempt_text(attempt), "28|200|5|2001|1|192.0.2.1|curl: (28) a b [1m?");
}

TEST(Verdict, NotesTheLastRedirect) {
    std::string location;
    note_location(location, "HTTP/1.1 301 Moved\r\n");
    note_location(location, "LOCATION: http://a.test/\r\n");
    note_location(location, "Locationx: no\r\n");
    EXPECT_EQ(location, "http://a.test/");
    note_location(location, "HTTP/1.1 200 OK\r\n");
    EXPECT_EQ(location, "");
    note_location(location, "location:" + std::string(10000, 'x'));
    EXPECT_EQ(location.size(), 4096U);
    note_location(location, "");
    EXPECT_EQ(location.size(), 4096U);
}
