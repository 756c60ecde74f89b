#include "toml_depth.hpp"

#include <algorithm>
#include <vector>

namespace nfqws2::rules {
namespace {

// Brackets nest, and so do dots; dots of numbers and dates are few. Strings and comments are passed
// over.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : text_(text) {}

    std::optional<TextPosition> run() {
        while (at_ < text_.size()) {
            step(text_[at_]);
            if (depth_ > most_nested) return position();
            at_++;
        }
        return std::nullopt;
    }

  private:
    void step(char c) {
        switch (c) {
        case '#':
            at_ = std::min(text_.find('\n', at_), text_.size());
            end_of_key();
            break;
        case '"':
        case '\'':
            string(c);
            break;
        case '.':
            dots_++;
            depth_++;
            break;
        case '[':
        case '{':
            open_.push_back(dots_);
            dots_ = 0;
            depth_++;
            break;
        case ']':
        case '}':
            close();
            break;
        case ',':
        case '\n':
            end_of_key();
            break;
        default:
            break;
        }
    }
    void end_of_key() {
        depth_ -= dots_;
        dots_ = 0;
    }
    void close() {
        if (open_.empty()) return;
        end_of_key();
        dots_ = open_.back();
        open_.pop_back();
        depth_--;
    }
    // Leaves `at_` at its last character. One that does not end is a mistake.
    void string(char quote) {
        const bool long_one = text_.substr(at_, 3) == std::string_view(quotes(quote));
        at_ += long_one ? 3 : 1;
        for (; at_ < text_.size(); at_++) {
            const char c = text_[at_];
            if (c == '\\' && quote == '"')
                at_++;
            else if (c == '\n' && !long_one)
                return end_of_key();
            else if (c == quote && !long_one)
                return;
            else if (c == quote && text_.substr(at_, 3) == std::string_view(quotes(quote)))
                return end_of_long(quote);
        }
    }
    // Two more quotes belong to the text.
    void end_of_long(char quote) {
        at_ += 2;
        for (int more = 0; more < 2 && at_ + 1 < text_.size() && text_[at_ + 1] == quote; more++)
            at_++;
    }
    static const char* quotes(char quote) { return quote == '"' ? "\"\"\"" : "'''"; }

    TextPosition position() const {
        const std::string_view before = text_.substr(0, at_);
        const std::size_t line_end = before.rfind('\n');
        const auto lines = std::count(before.begin(), before.end(), '\n');
        const std::size_t start = line_end == std::string_view::npos ? 0 : line_end + 1;
        return {static_cast<std::uint32_t>(lines + 1), static_cast<std::uint32_t>(at_ - start + 1)};
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::vector<std::size_t> open_; // dots of the key in front of each open bracket
    std::size_t dots_ = 0, depth_ = 0;
};

} // namespace

std::optional<TextPosition> too_deep(std::string_view text) {
    return Scanner(text).run();
}

} // namespace nfqws2::rules
