// What the tests of ProfileBuilder share.
#pragma once

#include "profile_testing.hpp"

namespace nfqws2::profile::testing {

struct BuilderFixture : ::testing::Test {
    VirtualClock clock;
    ListStore lists{clock};
    Options options{lists};
    TempDir dir;

    const Profile& at(std::size_t i) { return *options.built.profiles.at(i); }
    static std::string funcs(const Profile& p) {
        std::string text;
        for (const LuaInstance& instance : p.instances)
            text += (text.empty() ? "" : ",") + instance.func;
        return text;
    }
    std::string error_of(const std::string& word) {
        EXPECT_FALSE(options.give(word)) << word;
        return without_hints(options.error);
    }
    // What stands in brackets behind it.
    std::string hint_of(const std::string& word) {
        EXPECT_FALSE(options.give(word)) << word;
        const std::size_t begin = options.error.find(" (", options.error.rfind('\n') + 1);
        return begin == std::string::npos ? "" : options.error.substr(begin + 1);
    }
};

} // namespace nfqws2::profile::testing
