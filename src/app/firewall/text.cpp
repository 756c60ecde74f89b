// What the printers share.
#include "firewall/firewall.hpp"

#include <algorithm>

namespace nfqws2::app::firewall {

std::array<ToldState, 5> told_states(std::uint32_t ct_state_mark) {
    const std::uint32_t low = ct_state_mark & (~ct_state_mark + 1);
    std::array<ToldState, 5> states{
        {{"new", 0}, {"established", 0}, {"related", 0}, {"invalid", 0}, {"untracked", 0}}};
    for (std::size_t i = 0; i < states.size(); i++)
        states[i].mark = static_cast<std::uint32_t>(i + 1) * low;
    return states;
}

std::string spans_text(const Spans& spans, std::string_view range_sign) {
    std::string text;
    for (const Span& span : spans) {
        if (!text.empty()) text += ',';
        text += std::to_string(span.from);
        if (span.to != span.from) text += std::string(range_sign) + std::to_string(span.to);
    }
    return text;
}

// Names of profiles are anybody's text, and comments end up in shells and rule files.
std::string comment_text(const Rule& rule, std::size_t longest) {
    std::string text;
    if (rule.estimate) text = "estimate; ";
    for (std::size_t i = 0; i < rule.reasons.size(); i++)
        text += (i == 0 ? "" : "; ") + rule.reasons[i];
    for (char& c : text) {
        constexpr std::string_view others = " !%()*+,-./:;<=>@[]^_{|}~#?&'";
        const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                           (c >= 'a' && c <= 'z') || others.find(c) != std::string_view::npos;
        if (!plain || c == '\'') c = '_';
    }
    if (text.size() > longest) text.replace(longest - 3, std::string::npos, "...");
    return text;
}

} // namespace nfqws2::app::firewall
