#include "ladder/draw.hpp"

#include "nfqws2/base/text.hpp"
#include "view/markup.hpp"

#include <algorithm>

namespace nfqws2::ctl {

// Contrast of text is at least 4.5:1 on both grounds.
const char ladder_style[] = R"css(
.ladder{--ground:#fff;--text:#1b2631;--quiet:#586878;--line:#c9d3dc;--orig:#51606e;--piece:#0b5fbf;--decoy:#b93213;--changed:#7434b0;--host:#f2a900;--whole:#e3e9ef;color-scheme:light dark;font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
@media (prefers-color-scheme:dark){.ladder{--ground:#12181f;--text:#e8eef4;--quiet:#9fadba;--line:#3a4754;--orig:#a9b6c2;--piece:#69b1ff;--decoy:#ff8c70;--changed:#cfa0ff;--host:#ffc233;--whole:#2a3541}}
.ladder .ground{fill:var(--ground)}
.ladder text{fill:var(--text);font-size:12px;stroke:var(--ground);stroke-width:3px;stroke-linejoin:round;paint-order:stroke}
.ladder .title{font-size:15px;font-weight:600}
.ladder .quiet{fill:var(--quiet);font-size:11px}
.ladder .lane{fill:var(--quiet);font-size:11px;font-weight:600}
.ladder .life{stroke:var(--line);stroke-width:1.5}
.ladder .gap{stroke:var(--line);stroke-width:1.5;stroke-dasharray:2 4}
.ladder .arrow{fill:none;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.ladder .original{stroke:var(--orig)}
.ladder .changed{stroke:var(--changed)}
.ladder .piece{stroke:var(--piece)}
.ladder .decoy{stroke:var(--decoy);stroke-dasharray:6 4}
.ladder .head{stroke-dasharray:none}
.ladder .t-changed{fill:var(--changed);font-weight:600}
.ladder .t-piece{fill:var(--piece);font-weight:600}
.ladder .t-decoy{fill:var(--decoy);font-weight:600}
.ladder .whole{fill:var(--whole)}
.ladder .b-original{fill:var(--orig)}
.ladder .b-changed{fill:var(--changed)}
.ladder .b-piece{fill:var(--piece)}
.ladder .b-decoy{fill:var(--decoy)}
.ladder .host{fill:var(--host)}
.ladder .place{fill:none;stroke:var(--host);stroke-width:1.5}
.ladder .cut{stroke:var(--ground);stroke-width:2}
.ladder .pass{fill:var(--ground);stroke:var(--orig);stroke-width:1.5}
)css";

namespace {

// Where things stand; all of it follows from the width.
struct Places {
    int width;
    int lanes[3];
    std::size_t letters; // that fit between the outer lanes

    explicit Places(int w) : width(w), lanes{}, letters(0) {
        const int left = w < 500 ? 14 : 64, right = w < 500 ? w - 14 : w - 40;
        lanes[0] = left;
        lanes[1] = (left + right) / 2;
        lanes[2] = right;
        letters = static_cast<std::size_t>((right - left - 16) / 7);
    }
    int x(Lane lane) const { return lanes[static_cast<int>(lane)]; }
    bool small() const { return width < 500; }
};

const char* name_of(Tone tone) {
    switch (tone) {
    case Tone::original:
        return "original";
    case Tone::changed:
        return "changed";
    case Tone::piece:
        return "piece";
    case Tone::decoy:
        break;
    }
    return "decoy";
}

class Drawing {
  public:
    explicit Drawing(int width) : at_(width) {}

    // Below what is there; returns nothing but moves on.
    void ladder(const Ladder& ladder, const Words& words);
    std::string body() const { return lives_ + body_; }
    int height() const { return y_ + 8; }
    int width() const { return at_.width; }

  private:
    void heading(const Ladder& ladder, const Words& words);
    void arrow(const Row& row);
    void labels(const Row& row);
    void strip(const Strip& strip, Tone tone, int left, int right);
    void note(const Row& row);
    void gap(const Row& row);
    void time(const Row& row);
    void text(int x, const char* anchor, const std::string& style, const std::string& content);
    void bar(double from, double to, int top, int height, const char* style);

    Places at_;
    int y_ = 0;
    std::string body_, lives_;
};

void Drawing::text(int x, const char* anchor, const std::string& style,
                   const std::string& content) {
    body_ += format("<text x=\"%d\" y=\"%d\" text-anchor=\"%s\" class=\"%s\">", x, y_, anchor,
                    style.c_str());
    body_ += escaped(content) + "</text>\n";
}

void Drawing::heading(const Ladder& ladder, const Words& words) {
    const auto letters = static_cast<std::size_t>(at_.width / 8);
    y_ += 24;
    text(8, "start", "title", shortened(ladder.title, letters));
    // Two lines where one does not suffice.
    const std::size_t fits = static_cast<std::size_t>(at_.width / 6) - 3;
    std::string rest = ladder.subtitle, line;
    while (!rest.empty()) {
        const std::size_t end = rest.find(" \xC2\xB7 ");
        const std::string part = rest.substr(0, end);
        rest = end == std::string::npos ? std::string() : rest.substr(end + 4);
        if (!line.empty() && character_count(line) + character_count(part) + 3 > fits) {
            y_ += 16;
            text(8, "start", "quiet", shortened(line, fits));
            line.clear();
        }
        line += (line.empty() ? "" : " \xC2\xB7 ") + part;
    }
    if (!line.empty()) {
        y_ += 16;
        text(8, "start", "quiet", shortened(line, fits));
    }
    y_ += 24;
    text(at_.small() ? 4 : at_.lanes[0], at_.small() ? "start" : "middle", "lane", words.machine);
    text(at_.lanes[1], "middle", "lane", "nfqws2");
    text(at_.small() ? at_.width - 4 : at_.lanes[2], at_.small() ? "end" : "middle", "lane",
         words.network);
    y_ += 6;
}

void Drawing::time(const Row& row) {
    if (!at_.small() && !row.time.empty()) text(at_.lanes[0] - 10, "end", "quiet", row.time);
}

// Above the arrow, beginning at the side it comes from and inside of its half if they fit there.
void Drawing::labels(const Row& row) {
    const int from = at_.x(row.from), to = at_.x(row.to);
    const int left = std::min(from, to), right = std::max(from, to);
    const bool half = right - left < at_.lanes[2] - at_.lanes[0];
    std::size_t letters = static_cast<std::size_t>((right - left - 16) / 7);
    // In a narrow picture what leaves nfqws2 is written to the left as far as need be.
    const bool whole_width = half && at_.small();
    if (whole_width) letters = at_.letters;
    const bool at_end = whole_width && right == at_.lanes[2];
    const int x = at_end ? right - 8 : left + 8;
    const char* anchor = at_end ? "end" : "start";
    const std::string style =
        row.tone == Tone::original ? "" : std::string("t-") + name_of(row.tone);
    const std::size_t title = character_count(row.title), detail = character_count(row.detail);
    y_ += 17;
    time(row);
    if (!row.detail.empty() && title + detail + 3 <= letters) {
        body_ += format("<text x=\"%d\" y=\"%d\" text-anchor=\"%s\"><tspan class=\"%s\">", x, y_,
                        anchor, style.c_str());
        body_ += escaped(row.title) + "</tspan><tspan class=\"quiet\" dx=\"8\">" +
                 escaped(row.detail) + "</tspan></text>\n";
        return;
    }
    text(x, anchor, style, shortened(row.title, letters));
    if (row.detail.empty()) return;
    y_ += 14;
    text(x, anchor, "quiet", shortened(row.detail, letters + 3));
}

void Drawing::arrow(const Row& row) {
    y_ += 4;
    labels(row);
    y_ += 8;
    const int from = at_.x(row.from), to = at_.x(row.to), way = to > from ? 1 : -1;
    const char* tone = name_of(row.tone);
    body_ += format("<path class=\"arrow %s\" d=\"M%d %dH%d\"/>", tone, from + 3 * way, y_,
                    to - 3 * way);
    body_ += format("<path class=\"arrow head %s\" "
                    "d=\"M%d %dl%d -4m%d 4l%d 4\"/>\n",
                    tone, to - 3 * way, y_, -7 * way, 7 * way, -7 * way);
    const bool passes = row.from != Lane::daemon && row.to != Lane::daemon;
    if (passes)
        body_ += format("<circle class=\"pass\" cx=\"%d\" cy=\"%d\" r=\"3\"/>\n", at_.lanes[1], y_);
    if (!row.strip) return;
    y_ += 6;
    strip(*row.strip, row.tone, std::min(from, to) + 12, std::max(from, to) - 12);
    y_ += 14;
}

void Drawing::bar(double from, double to, int top, int height, const char* style) {
    if (to - from < 1.5) to = from + 1.5; // one byte has to be seen
    body_ +=
        format("<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"1\"/>",
               style, from, top, to - from, height);
}

// The message as a pale bar, the packet's part of it in its colour, the name marked. What lies
// before or behind the message stands in a margin.
void Drawing::strip(const Strip& s, Tone tone, int left, int right) {
    const double margin = (right - left) * 0.12;
    const double begin = left + margin, end = right - margin;
    const double scale =
        (end - begin) / static_cast<double>(std::max<std::int64_t>(s.message.size(), 1));
    const auto place = [&](std::int64_t position) {
        const double x = begin + static_cast<double>(position - s.message.from) * scale;
        return std::clamp(x, static_cast<double>(left), static_cast<double>(right));
    };
    bar(begin, end, y_ + 2, 6, "whole");
    const bool foreign_only = s.foreign && s.foreign->from <= s.part.from + s.part.size() / 2 &&
                              s.foreign->to >= s.part.to;
    bar(place(s.part.from), place(s.part.to), y_, 10,
        foreign_only ? "b-decoy" : (std::string("b-") + name_of(tone)).c_str());
    if (s.foreign && !foreign_only)
        bar(place(s.foreign->from), place(s.foreign->to), y_, 10, "b-decoy");
    const Range* shown = s.named ? &*s.named : !foreign_only && s.host ? &*s.host : nullptr;
    if (shown != nullptr) {
        const Range seen{std::max(shown->from, s.part.from), std::min(shown->to, s.part.to)};
        if (seen.from < seen.to) bar(place(seen.from), place(seen.to), y_, 10, "host");
    }
    if (s.host)
        body_ += format(
            "<rect class=\"place\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"14\" rx=\"2\"/>",
            place(s.host->from) - 1, y_ - 2,
            std::max(place(s.host->to) - place(s.host->from), 1.5) + 2);
    for (const std::int64_t cut : s.cuts)
        if (cut > s.message.from && cut < s.message.to)
            body_ += format("<path class=\"cut\" d=\"M%.1f %dv12\"/>", place(cut), y_ - 1);
    body_ += '\n';
}

void Drawing::note(const Row& row) {
    y_ += 18;
    time(row);
    const std::string content = shortened(row.title, at_.letters);
    const int half = static_cast<int>(character_count(content)) * 3 + 8;
    body_ += format("<rect class=\"ground\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"15\"/>",
                    at_.lanes[1] - half, y_ - 11, 2 * half);
    text(at_.lanes[1], "middle", "quiet", content);
    y_ += 2;
}

void Drawing::gap(const Row& row) {
    y_ += 20;
    time(row);
    body_ +=
        format("<path class=\"gap\" d=\"M%d %dH%d\"/>", at_.lanes[0] + 6, y_ - 4, at_.lanes[2] - 6);
    const int half = static_cast<int>(character_count(row.title)) * 3 + 10;
    body_ += format("<rect class=\"ground\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"15\"/>",
                    at_.lanes[1] - half, y_ - 11, 2 * half);
    text(at_.lanes[1], "middle", "quiet", row.title);
    y_ += 6;
}

void Drawing::ladder(const Ladder& ladder, const Words& words) {
    heading(ladder, words);
    const int top = y_;
    for (const Row& row : ladder.rows) {
        switch (row.kind) {
        case Row::Kind::arrow:
            arrow(row);
            break;
        case Row::Kind::note:
            note(row);
            break;
        case Row::Kind::gap:
            gap(row);
            break;
        }
    }
    y_ += 12;
    for (const int lane : at_.lanes)
        lives_ += format("<path class=\"life\" d=\"M%d %dV%d\"/>\n", lane, top, y_);
    y_ += 4;
}

std::string picture(const Drawing& drawing, const std::string& label, const char* more) {
    std::string text =
        format("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ladder\" role=\"img\" "
               "viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" aria-label=\"",
               drawing.width(), drawing.height(), drawing.width(), drawing.height());
    text += escaped(label) + "\">\n" + more;
    text += format("<rect class=\"ground\" width=\"%d\" height=\"%d\"/>\n", drawing.width(),
                   drawing.height());
    return text + drawing.body() + "</svg>\n";
}

std::string file(const Drawing& drawing, const std::string& label) {
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" +
           picture(drawing, label, (std::string("<style>") + ladder_style + "</style>\n").c_str());
}

} // namespace

std::string draw_inline(const Ladder& ladder, const Words& words, int width) {
    Drawing drawing(width);
    drawing.ladder(ladder, words);
    return picture(drawing, ladder.title, "");
}

std::string draw_svg(const Ladder& ladder, const Words& words, int width) {
    Drawing drawing(width);
    drawing.ladder(ladder, words);
    return file(drawing, ladder.title);
}

std::string draw_svg(const Ladders& ladders, const Words& words, int width) {
    Drawing drawing(width);
    for (const Ladder& ladder : ladders.ladders)
        drawing.ladder(ladder, words);
    return file(drawing, words.title);
}

} // namespace nfqws2::ctl
