// What differs between two sets of options.
#include "app/reload/option_set.hpp"

#include "app/options/option_table.hpp"

#include <gtest/gtest.h>

#include <set>

namespace nfqws2::app {
namespace {

OptionSet set_of(const std::vector<std::string>& words) {
    Arguments arguments;
    for (const std::string& word : words)
        arguments.words.push_back({word, 0});
    return option_set(arguments);
}

std::vector<std::string> shown(const std::vector<Change>& changes) {
    std::vector<std::string> texts;
    for (const Change& change : changes)
        texts.push_back(std::string(change.what) + " " + std::to_string(change.number) + " " +
                        change.name + " " + change.how);
    return texts;
}

using Texts = std::vector<std::string>;

TEST(OptionSet, WhatOnlyARestartCanChangeIsNamed) {
    const OptionSet before = set_of({"--qnum=200", "--ctrack-max", "5", "--filter-tcp=80"});
    EXPECT_EQ(
        fixed_differences(before, set_of({"--filter-tcp=443", "--ctrack-max=5", "-qnum=200"})),
        Texts{});
    EXPECT_EQ(
        fixed_differences(before, set_of({"--qnum=201", "--gso"})),
        (Texts{"--ctrack-max has changed (not given, was 5)", "--qnum has changed (201, was 200)",
               "--gso has changed (given, was not given)"}));
    EXPECT_EQ(fixed_differences(set_of({"--debug", "--debug=1"}), set_of({"--debug=1", "--debug"})),
              Texts{"--debug has changed (1 given, was given 1)"});
}

TEST(OptionSet, MostOptionsNeedARestart) {
    std::set<std::string> live;
    for (const OptionSpec& option : option_table())
        if (std::holds_alternative<GlobalOption>(option.action) && is_live(option))
            live.insert(option.name.name);
    EXPECT_EQ(live, (std::set<std::string>{"blob", "comment", "lua-init", "quiet"}));
}

TEST(OptionSet, ProfilesAreComparedByNumber) {
    const OptionSet before =
        set_of({"--filter-tcp=80", "--new=b", "--filter-udp=443", "--new", "--skip", "--name=s"});
    ASSERT_EQ(before.profiles.size(), 2U);
    EXPECT_EQ(shown(profile_changes(before, before)), Texts{});
    EXPECT_EQ(shown(profile_changes(before, set_of({"--filter-tcp=80"}))),
              Texts{"profile 2 b removed"});
    EXPECT_EQ(shown(profile_changes(before, set_of({"--filter-tcp=81", "--new=b",
                                                    "--filter-udp=443", "--new", "--name=c"}))),
              (Texts{"profile 1  changed", "profile 3 c added"}));
    // The order within a profile counts; where options of the program stand does not.
    EXPECT_EQ(shown(profile_changes(set_of({"--lua-desync=a", "--lua-desync=b"}),
                                    set_of({"--lua-desync=b", "--qnum=1", "--lua-desync=a"}))),
              Texts{"profile 1  changed"});
}

TEST(OptionSet, AChangedTemplateChangesWhoImportsIt) {
    const auto with = [](const std::string& port) {
        return set_of({"--template=t", "--filter-tcp=" + port, "--new=a", "--import=t", "--new=b",
                       "--filter-udp=1"});
    };
    EXPECT_EQ(shown(profile_changes(with("80"), with("81"))), Texts{"profile 1 a changed"});
}

TEST(OptionSet, EndsWhereAnOptionIsNone) {
    EXPECT_EQ(set_of({"--filter-tcp=1", "--nonsense", "--new"}).profiles.size(), 1U);
    EXPECT_EQ(set_of({}).profiles.size(), 1U);
}

} // namespace
} // namespace nfqws2::app
