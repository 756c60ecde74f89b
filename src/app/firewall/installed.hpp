// The rules that a firewall has, read from what its own tools list.
#pragma once

#include "firewall/firewall.hpp"
#include "nfqws2/base/file.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::app::firewall {

// A rule with a queue, as far as it can be compared.
struct QueueRule {
    bool ipv4 = false, ipv6 = false;
    bool tcp = true, udp = true;
    bool out = false, in = false;         // by the hook from which its chain is reached
    Spans dports, sports;                 // empty: any
    std::optional<std::uint32_t> packets; // the first ones; all
    unsigned first_queue = 0, last_queue = 0;
    bool special = false; // a condition of which is not known whether a packet meets it
};

struct Installed {
    std::vector<QueueRule> rules;
    bool foreign = false; // rules of iptables among those of nft, which nobody can read there
};

constexpr std::size_t longest_rules = 16U << 20; // of a listing, in bytes

// The whole text, at most that long.
std::optional<std::string> read_listing(const FileDescriptor& file);

// Outputs of iptables-save, ip6tables-save, `ipset save` and `nft list ruleset`, one behind the
// other. What is not understood is left out.
Installed read_installed(std::string_view text);

// What the needed rules lack.
struct Difference {
    bool serious = false; // packets that are needed are not seen
    std::string text;
};
std::vector<Difference> compare(const RuleSet& needed, const Installed& installed);

// --- the parts of read_installed()

// Jumps from chain to chain, and which chains the hooks begin with.
class Chains {
  public:
    void hook(const std::string& chain, std::string_view place); // "POSTROUTING", any case
    void jump(const std::string& from, const std::string& to);
    void put(const std::string& chain, QueueRule rule);
    std::vector<QueueRule> finish(); // the rules that are reached, with their ways

  private:
    struct Reached {
        bool out = false, in = false;
    };
    std::map<std::string, Reached> hooks_;
    std::multimap<std::string, std::string> jumps_;
    std::vector<std::pair<std::string, QueueRule>> rules_;
};

std::vector<std::string> words_of(std::string_view line); // quotes as iptables-save writes them
// "80", "80-90", "80:90"; false if it is none.
bool add_span(Spans& spans, std::string_view text);
bool set_queues(QueueRule& rule, std::string_view text); // "300", "300-303", "300:303"
// The upper end of "1-38" or "1:38", which begin with the first packet.
std::optional<std::uint32_t> first_packets(std::string_view text);

void read_iptables(std::string_view text, Chains& chains);
void read_nft(std::string_view text, Chains& chains, bool* foreign);

} // namespace nfqws2::app::firewall
