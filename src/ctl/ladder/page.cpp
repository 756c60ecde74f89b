// The page of `nfqws2ctl ladder`: no scripts, nothing from outside.
#include "ladder/draw.hpp"
#include "nfqws2/base/text.hpp"
#include "view/markup.hpp"

namespace nfqws2::ctl {
namespace {

const char page_style[] = R"css(
:root{color-scheme:light dark;--ground:#f3f6f8;--text:#1b2631;--quiet:#586878;--card:#fff;--edge:#d8e0e7}
@media (prefers-color-scheme:dark){:root{--ground:#0b1016;--text:#e8eef4;--quiet:#9fadba;--card:#12181f;--edge:#26313c}}
*{box-sizing:border-box}
body{margin:0;padding:1rem;background:var(--ground);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:820px;margin:0 auto}
h1{font-size:1.3rem;margin:.5rem 0}
.card{background:var(--card);border:1px solid var(--edge);border-radius:10px;padding:.5rem;margin:1rem 0;overflow:hidden}
.card svg{display:block;max-width:100%;height:auto;margin:0 auto}
.narrow{display:none!important}
@media (max-width:599px){body{padding:.5rem}.wide{display:none!important}.narrow{display:block!important}.card{padding:.25rem}}
ul.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;padding:0;margin:.5rem 0;list-style:none;color:var(--quiet);font-size:.85rem}
ul.legend svg{vertical-align:middle;margin-right:.4rem}
p{color:var(--quiet)}
)css";

std::string legend(const Words& words) {
    const auto line = [](const char* tone, const char* word) {
        return format("<li><svg class=\"ladder\" width=\"34\" height=\"10\" aria-hidden=\"true\">"
                      "<path class=\"arrow %s\" d=\"M2 5h30\"/></svg>%s</li>",
                      tone, word);
    };
    return "<ul class=\"legend\">" + line("original", words.original) + line("piece", words.piece) +
           line("decoy", words.decoy) + line("changed", words.changed) +
           format("<li><svg class=\"ladder\" width=\"18\" height=\"12\" aria-hidden=\"true\">"
                  "<rect class=\"host\" x=\"2\" y=\"1\" width=\"14\" height=\"10\" "
                  "rx=\"1\"/></svg>%s</li>",
                  words.legend_host) +
           "</ul>\n";
}

void add_svg(std::string& page, const Ladder& ladder, const Words& words, int width,
             const char* style) {
    page += format("<div class=\"%s\">", style) + draw_inline(ladder, words, width) + "</div>";
}

std::string paragraph(const char* form, std::int64_t number) {
    std::string text(form);
    const std::size_t at = text.find("%lld");
    if (at != std::string::npos) text.replace(at, 4, std::to_string(number));
    return "<p>" + text + ".</p>\n";
}

} // namespace

std::string draw_page(const Ladders& ladders, const Words& words, const std::string& language,
                      std::int64_t skipped_lines) {
    std::string page = "<!doctype html>\n<html lang=\"" + escaped(language) +
                       "\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                       "<title>" +
                       std::string(words.title) + "</title>\n<style>" + page_style + ladder_style +
                       "</style>\n</head>\n<body>\n<main>\n<h1>" + words.title + "</h1>\n";
    if (ladders.ladders.empty())
        page += "<p>" + std::string(words.nothing) + "</p>\n";
    else
        page += legend(words);
    for (const Ladder& ladder : ladders.ladders) {
        page += "<section class=\"card\">\n";
        add_svg(page, ladder, words, wide, "wide");
        add_svg(page, ladder, words, narrow, "narrow");
        page += "</section>\n";
    }
    if (ladders.omitted > 0) page += paragraph(words.more_ladders, ladders.omitted);
    if (skipped_lines > 0) page += paragraph(words.skipped, skipped_lines);
    return page + "</main>\n</body>\n</html>\n";
}

} // namespace nfqws2::ctl
