// Tables for the terminal: columns as wide as their contents, the flexible one gives way where the
// terminal is narrower than that.
#pragma once

#include "view/terminal.hpp"

#include <string>
#include <vector>

namespace nfqws2::ctl {

struct Column {
    std::string title;
    bool number = false;   // to the right
    bool flexible = false; // may be shortened
};

struct Cell {
    std::string text; // of any origin
    Colour colour = Colour::none;
    Cell(std::string content, Colour c = Colour::none) : text(std::move(content)), colour(c) {}
    Cell(const char* content, Colour c = Colour::none) : text(content), colour(c) {}
};

class Table {
  public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
    bool empty() const { return rows_.empty(); }
    std::string text(const Style& style) const;

  private:
    std::vector<std::size_t> widths(const Style& style) const;

    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

} // namespace nfqws2::ctl
