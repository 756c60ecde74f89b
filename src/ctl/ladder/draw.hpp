// Ladders as pictures: SVG, and a page of HTML that needs nothing else. Pure functions.
#pragma once

#include "ladder/ladder.hpp"

#include <string>

namespace nfqws2::ctl {

// Widths in units of the picture, which are pixels where it is shown in its own size.
inline constexpr int wide = 760, narrow = 340;

// A whole file of SVG: light and dark as the viewer wants it.
std::string draw_svg(const Ladder& ladder, const Words& words, int width = wide);
// The same for a page that has the style (ladder_style) itself.
std::string draw_inline(const Ladder& ladder, const Words& words, int width);
// Several below each other in one file.
std::string draw_svg(const Ladders& ladders, const Words& words, int width = wide);

// Each ladder for wide and for narrow windows, with a legend.
std::string draw_page(const Ladders& ladders, const Words& words, const std::string& language,
                      std::int64_t skipped_lines = 0);

extern const char ladder_style[]; // CSS

} // namespace nfqws2::ctl
