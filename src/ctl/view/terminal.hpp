// What may go to a terminal, and how it is coloured.
#pragma once

#include <string>
#include <string_view>

namespace nfqws2::ctl {

// Control characters, and such that reverse the direction of text, become visible: \x1b, \u202e.
// Bytes that are no UTF-8 become U+FFFD. Line ends too: one value is one line.
std::string safe(std::string_view text);
// The same for text of several lines, of which each stays one; those behind the first are set in.
std::string safe_lines(std::string_view text, std::string_view indent);

enum class Colour : char { none, quiet, strong, good, warn, bad, accent };

class Style {
  public:
    Style() = default;
    Style(bool colours, std::size_t columns) : colours_(colours), columns_(columns) {}
    // Colours and width of this process's standard output. NO_COLOR and TERM=dumb are without; not
    // a terminal: no colours, and no limit of the width.
    static Style of_output();

    // `text` is safe already.
    std::string paint(Colour colour, std::string_view text) const;
    bool colours() const { return colours_; }
    std::size_t columns() const { return columns_; }

  private:
    bool colours_ = false;
    std::size_t columns_ = 0; // 0: any
};

} // namespace nfqws2::ctl
