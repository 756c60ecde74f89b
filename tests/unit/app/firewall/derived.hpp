// What the firewall is told for some options.
#pragma once

#include "app/firewall/firewall.hpp"

#include "../parse_helper.hpp"

#include <algorithm>

namespace nfqws2::app {

using namespace firewall;
using Lines = std::vector<std::string>;

// A rule in a line: "out tcp 80,443 first 38", with what is not usual behind it.
inline std::string line_of(const Rule& rule) {
    constexpr const char* transports[] = {"tcp", "udp", "icmp", "other"};
    std::string text = rule.way == Way::out ? "out " : "in ";
    text += transports[static_cast<std::size_t>(rule.transport)];
    if (!rule.ports.empty()) text += " " + spans_text(rule.ports);
    if (!rule.lports.empty()) text += " from " + spans_text(rule.lports);
    for (const IcmpKind& kind : rule.icmp)
        text +=
            " " + std::to_string(kind.type) + (kind.code ? ":" + std::to_string(*kind.code) : "");
    if (!rule.protocols.empty()) text += " " + spans_text(rule.protocols);
    if (rule.packets) text += " first " + std::to_string(*rule.packets);
    if (rule.own != 0) text += "+" + std::to_string(rule.own);
    if (rule.estimate) text += " estimate";
    if (rule.related) text += " related";
    if (rule.invalid) text += " invalid";
    if (rule.any_side) text += " any side";
    if (!rule.ipv6) text += " ipv4";
    if (!rule.ipv4) text += " ipv6";
    if (rule.set) text += " set " + std::to_string(*rule.set);
    return text;
}

class Derived {
  public:
    // `traffic_rules`: what stands behind the version in a file of --rules.
    explicit Derived(std::vector<std::string> words, const std::string& traffic_rules = "")
        : parsed_(with_queue(std::move(words))) {
        EXPECT_TRUE(parsed_.good()) << parsed_.err << parsed_.finish_error;
        EXPECT_TRUE(parsed_.lists().load_all());
        if (!traffic_rules.empty()) {
            Config& config = parsed_.state.config;
            config.rules = rules::compile_text("version = 1\n" + traffic_rules, "test.toml");
            EXPECT_NE(config.rules.program, nullptr) << config.rules.errors.front();
        }
        rules = derive(parsed_.config(), parsed_.config().profiles);
    }
    Lines lines() const {
        Lines lines;
        for (const Rule& rule : rules.rules)
            lines.push_back(line_of(rule));
        return lines;
    }
    RuleSet rules;

  private:
    static std::vector<std::string> with_queue(std::vector<std::string> words) {
        words.insert(words.begin(), "--qnum=300");
        return words;
    }
    Parsed parsed_;
};

inline Lines lines_of(std::vector<std::string> words) {
    return Derived(std::move(words)).lines();
}

// Of traffic rules that all drop, each with these matches.

} // namespace nfqws2::app
