#include "ctl/list_update.hpp"

#include <gtest/gtest.h>

namespace nfqws2::ctl {
namespace {

constexpr std::int64_t now = 1'764'500'000;

std::string report(std::string_view text) {
    return list_update_report(parse_list_update(text), now, Style());
}

TEST(ListUpdate, AGoodOne) {
    EXPECT_EQ(report("script=get_user.sh\nresult=updated\ntime=1764492800 2025-11-30 08:53:20\n"
                     "success=1764492800 x\nfailures=0\nnext=\ntext=zapret-ip.txt 123 bytes\n"),
              "list update get_user.sh: updated 2 h ago (zapret-ip.txt 123 bytes)\n");
    EXPECT_EQ(report("result=done\ntime=1764499940\nscript=a.sh"),
              "list update a.sh: done 1 min ago\n");
}

TEST(ListUpdate, AFailure) {
    EXPECT_EQ(
        report("script=a.sh\nresult=failed\ntime=1764499999\nsuccess=1764413600 x\nfailures=3\n"
               "next=1764500600 x\ntext=list download failed: https://x.example/=1"),
        "list update a.sh: failed 1.0 s ago (list download failed: https://x.example/=1)\n"
        "  failures in succession: 3; last good one: 1 d ago; next try in 10 min\n");
    // A time that is over is no next try.
    EXPECT_EQ(report("script=a.sh\nresult=failed\ntime=1\nfailures=1\nnext=5\n").find("next try"),
              std::string::npos);
}

TEST(ListUpdate, AnythingElse) {
    EXPECT_EQ(report(""), "");
    EXPECT_EQ(report("\n\n=\nresult\nscript=x"), "");
    const std::string strange =
        report("script=\x1b[31m\nresult=\x9b\ntime=-1\nfailures=99999999999999999999\n"
               "success=1e9\ntext=\xff");
    EXPECT_EQ(strange.find('\x1b'), std::string::npos);
    EXPECT_NE(strange.find("list update"), std::string::npos);
}

} // namespace
} // namespace nfqws2::ctl
