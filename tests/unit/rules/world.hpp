// Rules in force and one worker's judge, for tests.
#pragma once

#include "nfqws2/base/random.hpp"
#include "nfqws2/rules/compile.hpp"
#include "nfqws2/rules/judge.hpp"
#include "packets.hpp"
#include "rules/program.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nfqws2::rules::test_packets {

inline constexpr std::int64_t ms = 1'000'000, s = 1000 * ms;

// The lines of a compiled file, one each; for failures.
inline std::string lines(const std::vector<std::string>& all) {
    std::string text;
    for (const std::string& line : all)
        text += line + "\n";
    return text;
}

class World {
  public:
    // Text of a rules file without `version`, which is put in front on the first line.
    explicit World(const std::string& text) {
        const Compiled compiled = compile_text("version = 1\n" + text, "test.toml");
        EXPECT_EQ("", lines(compiled.errors)) << text;
        if (compiled.program == nullptr) return;
        TableSetup setup;
        setup.key = {1, 2};
        tables = std::make_unique<Tables>(*compiled.program, setup);
        std::string error;
        std::vector<std::string> warnings;
        const auto rules = bring_in_force(compiled.program, *tables, nullptr, &error, &warnings);
        EXPECT_EQ("", error);
        EXPECT_EQ("", lines(warnings));
        judge = std::make_unique<Judge>(*tables, *random, [this](Bytes segment) {
            answers.emplace_back(segment.begin(), segment.end());
        });
        if (rules != nullptr) judge->replace(rules);
    }

    Ruling feed(const Packet& packet, std::int64_t now_ns = 0) {
        last = packet;
        Subject subject = about;
        subject.packet = last;
        subject.now_ns = now_ns;
        return judge->judge(subject);
    }
    bool drops(const Packet& packet, std::int64_t now_ns = 0) {
        return feed(packet, now_ns).decision == Decision::drop;
    }
    std::uint64_t counter(const std::string& name) const {
        for (const Judge::NamedCounts& counter : judge->counters())
            if (counter.name == name) return counter.counts.packets;
        return 0;
    }

    Subject about; // interfaces, mark
    Packet last;
    std::unique_ptr<Random> random = make_seeded_random(1);
    std::unique_ptr<Tables> tables;
    std::unique_ptr<Judge> judge;
    std::vector<Packet> answers;
};

// Whether a rule with this match, e.g. "{ dport = 53 }", holds.
inline bool holds(const std::string& match, const Packet& packet, const std::string& more = "") {
    World world(more + "[[profile]]\n[[profile.rule]]\nmatch = [" + match +
                "]\naction = [\"drop\"]\n");
    return world.judge != nullptr && world.drops(packet);
}

} // namespace nfqws2::rules::test_packets
