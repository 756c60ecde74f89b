#include "doctor/queue_rules.hpp"

#include "nfqws2/base/text.hpp"

#include <charconv>

namespace nfqws2::ctl {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    while (!line.empty()) {
        const std::size_t begin = line.find_first_not_of(" \t");
        if (begin == std::string_view::npos) break;
        const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
        words.push_back(line.substr(begin, end - begin));
        line.remove_prefix(end);
    }
    return words;
}

template <class Action> void for_lines(std::string_view text, Action action) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        action(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

// "0x10", "16"
std::optional<std::uint32_t> number_of(std::string_view text) {
    const bool hex = text.starts_with("0x");
    if (hex) text.remove_prefix(2);
    std::uint32_t value = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// "300", "300-303", "300:303"
bool read_queues(std::string_view text, QueueRule& rule) {
    const std::size_t sign = text.find_first_of("-:");
    const auto first = number_of(text.substr(0, sign));
    const auto last = sign == std::string_view::npos ? first : number_of(text.substr(sign + 1));
    if (!first || !last || *first > *last || *last > 65535) return false;
    rule.first = *first;
    rule.last = *last;
    return true;
}

bool is_ours(std::string_view name) {
    return name.find("zapret") != std::string_view::npos ||
           name.find("nfqws") != std::string_view::npos;
}

// "0x1/0xff": the mask; without one all bits.
std::uint32_t mask_of(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return UINT32_MAX;
    return number_of(text.substr(slash + 1)).value_or(0);
}

void read_iptables_rule(std::string_view line, const std::vector<std::string_view>& words,
                        Listing& listing) {
    QueueRule queue;
    bool has_queue = false, ours = false;
    std::optional<std::uint32_t> mark;
    if (!words.empty() && words[0].starts_with("["))
        queue.packets = parse_uint(words[0].substr(1, words[0].find(':') - 1), UINT64_MAX);
    for (std::size_t i = 0; i < words.size(); i++) {
        const std::string_view next = i + 1 < words.size() ? words[i + 1] : std::string_view();
        if (words[i] == "--queue-num" || words[i] == "--queue-balance")
            has_queue = read_queues(next, queue);
        else if (words[i] == "--queue-bypass")
            queue.bypass = true;
        else if (words[i] == "--connbytes")
            queue.counts = true;
        else if (words[i] == "-A")
            ours = is_ours(next);
        else if (words[i] == "-j" && next == "FLOWOFFLOAD")
            listing.offload = listing.offload || !ours;
        else if (words[i] == "--clamp-mss-to-pmtu" || words[i] == "--set-mss")
            listing.clamps = true;
        else if (words[i] == "--set-xmark" || words[i] == "--set-mark")
            mark = mask_of(next);
        else if (words[i] == "--restore-mark")
            mark = mark.value_or(UINT32_MAX);
        else if (words[i] == "--mask" || words[i] == "--ctmask" || words[i] == "--or-mark")
            mark = number_of(next).value_or(0);
    }
    if (has_queue) listing.queues.push_back(queue);
    const bool of_packets = line.find("-j MARK") != std::string_view::npos ||
                            line.find("--restore-mark") != std::string_view::npos;
    if (mark && of_packets && !ours) listing.marks.push_back({*mark, std::string(line)});
}

// "queue num 300 bypass", "queue flags bypass to 300-303"
void read_nft_queue(const std::vector<std::string_view>& words, std::string_view line,
                    Listing& listing) {
    QueueRule queue;
    bool found = false;
    for (std::size_t i = 0; i + 1 < words.size(); i++) {
        if (words[i] == "queue") found = true;
        if (found && (words[i] == "num" || words[i] == "to") && read_queues(words[i + 1], queue)) {
            queue.bypass = line.find("bypass") != std::string_view::npos;
            queue.counts = line.find("ct original packets") != std::string_view::npos ||
                           line.find("ct reply packets") != std::string_view::npos;
            for (std::size_t k = 0; k + 2 < words.size(); k++)
                if (words[k] == "counter" && words[k + 1] == "packets")
                    queue.packets = parse_uint(words[k + 2], UINT64_MAX);
            listing.queues.push_back(queue);
            return;
        }
    }
}

// Bits that "meta mark set ..." of this line writes.
std::optional<std::uint32_t> nft_mark(const std::vector<std::string_view>& words) {
    for (std::size_t i = 0; i + 3 < words.size(); i++) {
        if (words[i] != "meta" || words[i + 1] != "mark" || words[i + 2] != "set") continue;
        if (const auto value = number_of(words[i + 3])) return UINT32_MAX;
        std::uint32_t bits = 0;
        for (std::size_t k = i + 3; k + 1 < words.size(); k++) {
            const auto number = number_of(words[k + 1]);
            if (!number) continue;
            if (words[k] == "|" || words[k] == "or" || words[k] == "^") bits |= *number;
            if (words[k] == "&" || words[k] == "and") bits |= ~*number;
        }
        // "meta mark set ct mark" as a whole
        return words[i + 3] == "ct" && bits == 0 ? UINT32_MAX : bits;
    }
    return std::nullopt;
}

} // namespace

void read_iptables_save(std::string_view text, Listing& listing) {
    for_lines(text, [&](std::string_view line) {
        const auto words = words_of(line);
        for (std::size_t i = 0; i < words.size() && i < 2; i++)
            if (words[i] == "-A") return read_iptables_rule(line, words, listing);
    });
}

void read_nft_ruleset(std::string_view text, Listing& listing) {
    bool ours = false;
    for_lines(text, [&](std::string_view line) {
        const auto words = words_of(line);
        if (words.empty()) return;
        if (words[0] == "table") ours = words.size() > 2 && is_ours(words[2]);
        read_nft_queue(words, line, listing);
        const bool offloads = line.find("flow add @") != std::string_view::npos ||
                              line.find("flow offload @") != std::string_view::npos;
        listing.offload = listing.offload || (offloads && !ours);
        listing.clamps = listing.clamps || line.find("maxseg size set") != std::string_view::npos;
        const auto mark = ours ? std::nullopt : nft_mark(words);
        if (mark && *mark != 0)
            listing.marks.push_back({*mark, std::string(line.substr(line.find(words[0])))});
    });
}

void read_ip_rule(std::string_view text, Listing& listing) {
    for_lines(text, [&](std::string_view line) {
        const auto words = words_of(line);
        for (std::size_t i = 0; i + 1 < words.size(); i++)
            if (words[i] == "fwmark")
                listing.marks.push_back({mask_of(words[i + 1]), std::string(line)});
    });
}

} // namespace nfqws2::ctl
