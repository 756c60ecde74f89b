// What `nft list ruleset` prints: a line of a chain is a rule; tables, chains and sets are blocks.
#include "firewall/installed.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>

namespace nfqws2::app::firewall {
namespace {

// Braces and commas are words of their own, apart from texts in quotes.
std::vector<std::string> tokens_of(std::string_view line) {
    std::string spaced;
    bool quoted = false;
    for (const char c : line) {
        if (c == '"') quoted = !quoted;
        const bool apart = !quoted && (c == '{' || c == '}' || c == ',' || c == ';');
        if (apart) spaced += ' ';
        spaced += c;
        if (apart) spaced += ' ';
    }
    return words_of(spaced);
}

class RuleReader {
  public:
    explicit RuleReader(const std::vector<std::string>& tokens) : tokens_(tokens) {}

    QueueRule rule;
    std::string target;
    bool queues = false, foreign = false;

    void run() {
        while (at_ < tokens_.size())
            step();
    }

  private:
    const std::string& next() {
        static const std::string none;
        return at_ < tokens_.size() ? tokens_[at_++] : none;
    }
    const std::string& peek() const {
        static const std::string none;
        return at_ < tokens_.size() ? tokens_[at_] : none;
    }
    void step();
    void ports(Spans& spans);
    void protocols();
    void connection();
    void queue();
    void address(bool six);

    const std::vector<std::string>& tokens_;
    std::size_t at_ = 0;
};

void RuleReader::ports(Spans& spans) {
    const std::string first = next();
    if (first != "{") {
        if (!add_span(spans, first)) rule.special = true;
        return;
    }
    while (at_ < tokens_.size() && peek() != "}") {
        const std::string& item = next();
        if (item != "," && !add_span(spans, item)) rule.special = true;
    }
}

void RuleReader::protocols() {
    const bool inverted = peek() == "!=";
    if (inverted) next();
    bool tcp = false, udp = false;
    const auto see = [&](const std::string& name) {
        tcp = tcp || name == "tcp";
        udp = udp || name == "udp";
    };
    std::string first = next();
    see(first);
    if (first == "{")
        while (at_ < tokens_.size() && peek() != "}")
            see(next());
    rule.tcp = rule.tcp && tcp != inverted;
    rule.udp = rule.udp && udp != inverted;
}

void RuleReader::connection() {
    const std::string key = next();
    if ((key == "original" || key == "reply") && peek() == "packets") {
        next();
        rule.packets = first_packets(next());
        rule.special = rule.special || !rule.packets;
    } else if (key == "state") {
        rule.special = true;
    }
}

// "queue num 300-303 bypass", "queue flags bypass to 300", "queue to 300-303"
void RuleReader::queue() {
    queues = true;
    while (at_ < tokens_.size() && !set_queues(rule, peek()))
        next();
    next();
}

void RuleReader::address(bool six) {
    (six ? rule.ipv4 : rule.ipv6) = false;
    if (peek() != "saddr" && peek() != "daddr") return;
    next();
    if (peek() == "!=")
        next();
    else
        rule.special = true;
}

void RuleReader::step() {
    const std::string word = next();
    if (word == "tcp" || word == "udp") {
        (word == "tcp" ? rule.udp : rule.tcp) = false;
        const std::string side = next();
        if (side == "dport")
            ports(rule.dports);
        else if (side == "sport")
            ports(rule.sports);
        else
            rule.special = true;
    } else if (word == "icmp" || word == "icmpv6") {
        rule.tcp = rule.udp = false;
    } else if (word == "l4proto" || word == "protocol") {
        protocols();
    } else if (word == "nfproto") {
        (next() == "ipv4" ? rule.ipv6 : rule.ipv4) = false;
    } else if (word == "ip" || word == "ip6") {
        address(word == "ip6");
    } else if (word == "ct") {
        connection();
    } else if (word == "queue") {
        queue();
    } else if (word == "jump" || word == "goto") {
        target = next();
    } else if (word == "xt") {
        foreign = true;
    }
}

} // namespace

void read_nft(std::string_view text, Chains& chains, bool* foreign) {
    std::string table, chain;
    bool four = false, six = false;
    for (const std::string_view line : split(text, '\n')) {
        // Elements of sets may be many.
        const std::string_view begin =
            line.substr(std::min(line.find_first_not_of("\t "), line.size()));
        if (chain.empty() && !begin.starts_with("table ") && !begin.starts_with("chain ")) continue;
        const auto tokens = tokens_of(line);
        if (tokens.empty()) continue;
        if (tokens[0] == "table" && tokens.size() > 2) {
            four = tokens[1] == "inet" || tokens[1] == "ip";
            six = tokens[1] == "inet" || tokens[1] == "ip6";
            table = tokens[1] + " " + tokens[2] + " ";
            chain.clear();
        } else if (tokens[0] == "chain" && tokens.size() > 1) {
            chain = table + tokens[1];
        } else if (tokens[0] == "}") {
            chain.clear();
        } else if (tokens[0] == "type") {
            for (std::size_t i = 1; i + 1 < tokens.size(); i++)
                if (tokens[i] == "hook") chains.hook(chain, tokens[i + 1]);
        } else {
            RuleReader reader(tokens);
            reader.rule.ipv4 = four;
            reader.rule.ipv6 = six;
            reader.run();
            *foreign = *foreign || reader.foreign;
            if (reader.queues)
                chains.put(chain, reader.rule);
            else if (!reader.target.empty())
                chains.jump(chain, table + reader.target);
        }
    }
}

} // namespace nfqws2::app::firewall
