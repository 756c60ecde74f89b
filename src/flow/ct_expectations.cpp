#include "ct_expectations.hpp"

#include <algorithm>
#include <cerrno>

namespace nfqws2::flow::detail {

namespace {

constexpr std::int64_t lifetime_s = 300; // of the policy of ftp, whatever is asked for
constexpr std::size_t most = 1024;

} // namespace

bool CtExpected::matches(const packet::CtTuple& t) const {
    const packet::CtTuple& w = wanted.tuple;
    return t.proto == w.proto && t.dst == w.dst && t.dport == w.dport &&
           (w.src.empty() || t.src == w.src) && (w.sport == 0 || t.sport == w.sport);
}

void CtExpectations::push(const CtExpected& expected, std::int64_t now_s) {
    entries_.push_back({expected, now_s + lifetime_s});
}

void CtExpectations::forget_old(std::int64_t now_s) {
    std::erase_if(entries_, [now_s](const Entry& entry) { return entry.expires_s <= now_s; });
}

void CtExpectations::announce(const CtExpected& expected, std::int64_t now_s) {
    forget_old(now_s);
    std::erase_if(entries_, [&](const Entry& old) {
        return old.expected.wanted.tuple == expected.wanted.tuple;
    });
    if (entries_.size() >= most) entries_.erase(entries_.begin());
    push(expected, now_s);
}

int CtExpectations::add(const CtExpected& expected, std::int64_t now_s) {
    forget_old(now_s);
    for (const Entry& old : entries_)
        if (old.expected.wanted.tuple == expected.wanted.tuple) return EEXIST;
    if (entries_.size() >= most) return ENOSPC;
    push(expected, now_s);
    return 0;
}

int CtExpectations::remove(const packet::CtTuple& tuple, std::int64_t now_s) {
    forget_old(now_s);
    const auto gone = std::erase_if(entries_, [&](const Entry& entry) {
        return entry.expected.matches(tuple) || entry.expected.wanted.tuple == tuple;
    });
    return gone != 0 ? 0 : ENOENT;
}

std::optional<CtExpected> CtExpectations::meet(const packet::CtTuple& tuple, std::int64_t now_s) {
    if (entries_.empty()) return std::nullopt;
    forget_old(now_s);
    const auto found = std::ranges::find_if(
        entries_, [&](const Entry& entry) { return entry.expected.matches(tuple); });
    if (found == entries_.end()) return std::nullopt;
    const CtExpected expected = found->expected;
    if (!expected.wanted.permanent) entries_.erase(found);
    return expected;
}

} // namespace nfqws2::flow::detail
