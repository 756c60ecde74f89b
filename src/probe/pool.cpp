#include "pool.hpp"

#include "job.hpp"
#include "words.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

// Theory of operation. A mechanism has a chance to work: what is known of boxes in general (below)
// and what this run has seen, also with other protocols. A family works if any of its mechanisms
// does, so its failure is shared out among them. The family with the best chance gives the next
// strategy. Within a family the next one is far from those that were tried: places are taken by the
// golden ratio.

namespace nfqws2::probe {

namespace {

// The experience of those who look for strategies.
constexpr std::array<std::pair<std::string_view, double>, 34> experience{{
    {"http_methodeol", .3},
    {"http_hostcase", .25},
    {"http_unixeol", .2},
    {"http_domcase", .1},
    {"multisplit", .25},
    {"multidisorder", .25},
    {"multidisorder_legacy", .25},
    {"tcpseg~seqovl", .3},
    {"multisplit~seqovl", .3},
    {"multidisorder~seqovl", .25},
    {"tcpseg", .05},
    {"oob", .12},
    {"syndata", .15},
    {"fake", .2},
    {"fake/tcp_md5", .3},
    {"fake/tcp_ts", .25},
    {"fake/tcp_ack", .22},
    {"fake/tcp_seq", .2},
    {"fake/badsum", .15},
    {"fake/ttl", .2},
    {"fake/autottl", .2},
    {"fake/tcp_flags_unset", .15},
    {"fake/tcp_flags_set", .1},
    {"fakedsplit/tcp_md5", .25},
    {"fakedsplit/tcp_ts", .2},
    {"fakeddisorder/tcp_md5", .22},
    {"fakeddisorder/tcp_ts", .2},
    {"hostfakesplit/tcp_md5", .25},
    {"hostfakesplit/tcp_ts", .22},
    {"hostfakesplit/ttl", .18},
    {"send/ipfrag", .15},
    {"wssize", .03},
    {"+ack", .01},
    {"+md5", .02},
}};
constexpr double unknown = .06;
constexpr double weight = 2; // of what is known, in tries
// A strategy with fewer mechanisms is preferred.
constexpr std::array<double, 4> simpler = {1, .55, .4, .3};
constexpr double golden = .61803398875;
constexpr unsigned most_loading = 2; // of a round: more do not fit into one
constexpr double not_now = -1;

bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// ":name:", ":name=", also behind "_".
bool has_argument(std::string_view arguments, std::string_view name) {
    for (auto at = arguments.find(name); at != std::string_view::npos;
         at = arguments.find(name, at + 1)) {
        const char before = at == 0 ? ' ' : arguments[at - 1];
        const auto behind = arguments.substr(at + name.size(), 1);
        if ((before == ':' || before == '_') && (behind == ":" || behind == "=")) {
            return true;
        }
    }
    return false;
}

std::string fooling(std::string_view arguments) {
    constexpr std::array<std::string_view, 14> kinds = {
        "autottl",     "ttl",         "tcp_md5",         "badsum",        "tcp_seq",
        "tcp_ack",     "tcp_ts",      "tcp_flags_unset", "tcp_flags_set", "ip6_hopbyhop",
        "ip6_destopt", "ip6_routing", "ip6_ah",          "ipfrag"};
    const auto* const kind = std::find_if(kinds.begin(), kinds.end(), [&](std::string_view one) {
        return has_argument(arguments, one);
    });
    return kind == kinds.end() ? "" : '/' + std::string(*kind);
}

// Of one call; empty if it says nothing. Early: before the message is sent.
std::string mechanism(std::string_view call, bool early) {
    const std::string arguments =
        std::string(call.substr(std::min(call.find(':'), call.size()))) + ':';
    std::string name(call.substr(0, call.find(':')));
    if (name == "drop" || name == "luaexec" || name == "pass") {
        return "";
    }
    if (early && (name == "pktmod" || name == "send")) {
        return name == "send" ? "+md5" : "+ack";
    }
    name = has(arguments, ":nodrop:") ? "fake" : name;
    name += has(arguments, ":seqovl=") ? "~seqovl" : "";
    return name + fooling(arguments);
}

std::pair<std::string_view, std::string_view> at_tab(std::string_view line) {
    const auto tab = std::min(line.find('\t'), line.size());
    return {line.substr(0, tab), line.substr(std::min(tab + 1, line.size()))};
}

double real(std::string_view text) {
    return std::strtod(std::string(text).c_str(), nullptr);
}

} // namespace

std::vector<std::string> mechanisms_of(const std::vector<std::string>& words) {
    constexpr std::string_view call = "--lua-desync=";
    constexpr std::string_view payload = "--payload=";
    std::vector<std::string> all;
    bool early = false;
    for (const std::string_view word : words) {
        if (word.substr(0, payload.size()) == payload) {
            early = word.substr(payload.size(), 5) == "empty";
        } else if (word.substr(0, call.size()) == call) {
            auto one = mechanism(word.substr(call.size()), early);
            if (!one.empty() && std::find(all.begin(), all.end(), one) == all.end()) {
                all.push_back(std::move(one));
            }
        }
    }
    return all.empty() ? std::vector<std::string>{"other"} : all;
}

void Pool::learned(std::string_view line) {
    const std::string name(take_word(line));
    // Half of it: another protocol is something else.
    const double worked = real(take_word(line)) / 2;
    tries_[name] = {worked, real(take_word(line)) / 2};
}

void Pool::tried(std::string_view line) {
    const auto [share, key] = at_tab(line);
    results_[std::string(key)] = share == "-" ? not_now : real(share);
}

double Pool::share(const std::string& mechanism) const {
    const auto* const known =
        std::find_if(experience.begin(), experience.end(),
                     [&](const auto& pair) { return pair.first == mechanism; });
    const double before = known == experience.end() ? unknown : known->second;
    const auto found = tries_.find(mechanism);
    const Tries seen = found == tries_.end() ? Tries() : found->second;
    return (weight * before + seen.worked) / (weight + seen.worked + seen.failed);
}

double Pool::chance(const Family& family) const {
    double none = 1;
    for (const auto& mechanism : family.mechanisms) {
        none *= 1 - share(mechanism);
    }
    return (1 - none) * simpler[std::min(family.mechanisms.size(), simpler.size()) - 1];
}

void Pool::note(const Family& family, double good) {
    const auto count = static_cast<double>(family.mechanisms.size());
    for (const auto& mechanism : family.mechanisms) {
        Tries& tries = tries_[mechanism];
        tries.worked += good / count;
        tries.failed += (1 - good) / count;
    }
}

Pool::Family& Pool::family_of(std::string_view key) {
    std::string_view words = key;
    take_word(words);
    take_word(words);
    Family family;
    family.mechanisms = mechanisms_of(read_words(words).value_or(std::vector<std::string>()));
    family.loads = has(key, "--lua-init=") || has(key, "--blob=");
    std::string name(family.loads ? " " : "");
    for (const auto& mechanism : family.mechanisms) {
        name += mechanism + ' ';
    }
    const auto [place, is_new] = numbers_.try_emplace(name, families_.size());
    if (is_new) {
        families_.push_back(std::move(family));
    }
    return families_[place->second];
}

void Pool::add(std::string line) {
    const std::string_view key = at_tab(line).second;
    if (key.empty() || !seen_.try_emplace(std::string(key), true).second) {
        return;
    }
    Family& family = family_of(key);
    const auto result = results_.find(key);
    const bool gone = result != results_.end();
    if (gone) {
        ++family.taken;
        if (result->second >= 0) {
            note(family, result->second);
        }
    }
    family.gone.push_back(gone);
    family.lines.push_back(std::move(line));
}

Pool::Family* Pool::best(bool loading) {
    Family* found = nullptr;
    double top = 0;
    for (Family& family : families_) {
        if (family.taken >= family.lines.size() || (family.loads && !loading)) {
            continue;
        }
        if (const double score = chance(family); score > top) {
            top = score;
            found = &family;
        }
    }
    return found;
}

std::vector<std::string> Pool::pick(std::size_t count) {
    std::vector<std::string> picks;
    unsigned loading = 0;
    while (picks.size() < count) {
        Family* const family = best(loading < most_loading);
        if (family == nullptr) {
            break;
        }
        const std::size_t size = family->lines.size();
        const double turn = static_cast<double>(family->taken) * golden;
        auto at = static_cast<std::size_t>((turn - std::floor(turn)) * static_cast<double>(size));
        while (family->gone[at]) {
            at = (at + 1) % size;
        }
        family->gone[at] = true;
        ++family->taken;
        loading += family->loads ? 1 : 0;
        picks.push_back(family->lines[at]);
        note(*family, 0);
    }
    return picks;
}

std::string Pool::lesson() const {
    std::string text;
    for (const auto& [name, tries] : tries_) {
        std::array<char, 64> numbers{};
        std::snprintf(numbers.data(), numbers.size(), " %.3f %.3f\n", tries.worked, tries.failed);
        text += name + numbers.data();
    }
    return text;
}

} // namespace nfqws2::probe
