#include "firewall/installed.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

namespace nfqws2::app::firewall {
namespace {

constexpr std::size_t most_rules = 10'000, most_ports = 4096;

std::optional<std::pair<unsigned, unsigned>> ends_of(std::string_view text) {
    const std::size_t sign = text.find_first_of("-:");
    const auto from = parse_uint(text.substr(0, sign), UINT32_MAX);
    const auto to =
        sign == std::string_view::npos ? from : parse_uint(text.substr(sign + 1), UINT32_MAX);
    if (!from || !to || *from > *to) return std::nullopt;
    return std::pair(static_cast<unsigned>(*from), static_cast<unsigned>(*to));
}

} // namespace

void Chains::hook(const std::string& chain, std::string_view place) {
    const std::string name = ascii_lower(place);
    Reached& reached = hooks_[chain];
    reached.out = reached.out || name == "output" || name == "postrouting";
    reached.in = reached.in || name == "input" || name == "forward" || name == "prerouting";
}

void Chains::jump(const std::string& from, const std::string& to) {
    if (jumps_.size() < most_rules) jumps_.emplace(from, to);
}

void Chains::put(const std::string& chain, QueueRule rule) {
    if (rules_.size() < most_rules) rules_.emplace_back(chain, std::move(rule));
}

std::vector<QueueRule> Chains::finish() {
    // Every step adds something, so it ends, whatever circle the jumps make.
    for (bool more = true; more;) {
        more = false;
        for (const auto& [from, to] : jumps_) {
            const auto begin = hooks_.find(from);
            if (begin == hooks_.end()) continue;
            const Reached source = begin->second;
            Reached& target = hooks_[to];
            more = more || (source.out && !target.out) || (source.in && !target.in);
            target.out = target.out || source.out;
            target.in = target.in || source.in;
        }
    }
    std::vector<QueueRule> rules;
    for (auto& [chain, rule] : rules_) {
        const Reached reached = hooks_[chain];
        rule.out = reached.out;
        rule.in = reached.in;
        if (rule.out || rule.in) rules.push_back(std::move(rule));
    }
    return rules;
}

std::vector<std::string> words_of(std::string_view line) {
    std::vector<std::string> words;
    bool quoted = false, open = false;
    for (std::size_t i = 0; i < line.size(); i++) {
        char c = line[i];
        if (!quoted && (c == ' ' || c == '\t')) {
            open = false;
            continue;
        }
        if (!open) words.emplace_back();
        open = true;
        if (c == '"') {
            quoted = !quoted;
            continue;
        }
        if (c == '\\' && quoted && i + 1 < line.size()) c = line[++i];
        words.back() += c;
    }
    return words;
}

bool add_span(Spans& spans, std::string_view text) {
    const auto ends = ends_of(text);
    if (!ends || ends->second > UINT16_MAX || spans.size() >= most_ports) return false;
    spans.push_back({ends->first, ends->second});
    return true;
}

bool set_queues(QueueRule& rule, std::string_view text) {
    const auto ends = ends_of(text);
    if (!ends) return false;
    rule.first_queue = ends->first;
    rule.last_queue = ends->second;
    return true;
}

std::optional<std::uint32_t> first_packets(std::string_view text) {
    const auto ends = ends_of(text);
    if (!ends || ends->first > 1) return std::nullopt;
    return ends->second;
}

std::optional<std::string> read_listing(const FileDescriptor& file) {
    std::string text;
    char buffer[16384];
    for (;;) {
        const ssize_t n = read(file.get(), buffer, sizeof(buffer));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 || text.size() > longest_rules) return std::nullopt;
        if (n == 0) return text;
        text.append(buffer, static_cast<std::size_t>(n));
    }
}

Installed read_installed(std::string_view text) {
    Installed installed;
    Chains iptables, nft;
    read_iptables(text, iptables);
    read_nft(text, nft, &installed.foreign);
    installed.rules = iptables.finish();
    if (!installed.rules.empty()) installed.foreign = false;
    for (QueueRule& rule : nft.finish())
        installed.rules.push_back(std::move(rule));
    return installed;
}

} // namespace nfqws2::app::firewall
