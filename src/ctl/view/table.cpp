#include "view/table.hpp"

#include "view/markup.hpp"

#include <algorithm>
#include <numeric>

namespace nfqws2::ctl {
namespace {

constexpr std::size_t least = 8; // of a flexible column

} // namespace

std::vector<std::size_t> Table::widths(const Style& style) const {
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < columns_.size(); i++) {
        std::size_t width = character_count(columns_[i].title);
        for (const auto& row : rows_)
            if (i < row.size()) width = std::max(width, character_count(safe(row[i].text)));
        widths.push_back(width);
    }
    if (style.columns() == 0) return widths;
    std::size_t total =
        std::accumulate(widths.begin(), widths.end(), std::size_t{0}) + 2 * (widths.size() - 1);
    // The widest gives way first.
    while (total > style.columns()) {
        std::size_t widest = widths.size();
        for (std::size_t i = 0; i < widths.size(); i++)
            if (columns_[i].flexible && widths[i] > least &&
                (widest == widths.size() || widths[i] > widths[widest]))
                widest = i;
        if (widest == widths.size()) break;
        widths[widest]--;
        total--;
    }
    return widths;
}

std::string Table::text(const Style& style) const {
    const std::vector<std::size_t> wide = widths(style);
    std::string out;
    const auto line = [&](std::size_t i, const std::string& content, Colour colour, bool last) {
        const std::string shown = shortened(content, wide[i]);
        const std::string room(wide[i] - std::min(wide[i], character_count(shown)), ' ');
        if (columns_[i].number) out += room;
        out += style.paint(colour, shown);
        if (!columns_[i].number && !last) out += room;
        out += last ? "\n" : "  ";
    };
    for (std::size_t i = 0; i < columns_.size(); i++)
        line(i, columns_[i].title, Colour::quiet, i + 1 == columns_.size());
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < columns_.size(); i++)
            line(i, i < row.size() ? safe(row[i].text) : std::string(),
                 i < row.size() ? row[i].colour : Colour::none, i + 1 == columns_.size());
    return out;
}

} // namespace nfqws2::ctl
