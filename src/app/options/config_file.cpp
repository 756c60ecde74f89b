// Theory of operation: the file is one command line for wordexp(3), with line ends as blanks. It is
// handed over piece by piece, a piece ending at each line end that lies outside of quotes, escapes
// and $-expansions; the words are the same as of the whole text, but every word and every error has
// a line number. The scanner below only has to know where quotes and expansions end; what they mean
// is left to wordexp. When in doubt it stays inside, which costs precision of the line, no more.
#include "options/config_file.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <cstring>
#include <wordexp.h>

namespace nfqws2::app {
namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Tracks open quotes and expansions as the stack of their closing characters.
class QuoteScanner {
  public:
    // Consumes the character at `i` (or the two of an escape or opener), returns the next position.
    std::size_t step(const std::string& text, std::size_t i) {
        const char c = text[i];
        const char next = i + 1 < text.size() ? text[i + 1] : '\0';
        const char top = open_.empty() ? '\0' : open_.back();
        if (top == '\'') {
            if (c == '\'') open_.pop_back();
            return i + 1;
        }
        if (c == '\\') return i + 1 < text.size() ? i + 2 : i + 1;
        if (c == '$' && (next == '(' || next == '{' || next == '[')) {
            open_.push_back(next == '(' ? ')' : next == '{' ? '}' : ']');
            return i + 2;
        }
        if (top != '\0' && c == top)
            open_.pop_back();
        else if (c == '"' || (c == '\'' && top != '"'))
            open_.push_back(c);
        else if (c == '(' && top == ')')
            open_.push_back(')');
        return i + 1;
    }
    bool outside() const { return open_.empty(); }

  private:
    std::string open_;
};

// Is there a word between the two places that begins with one of these characters?
bool has_word_with(const char* beginnings, const std::string& text, std::size_t at,
                   std::size_t end) {
    bool word_start = true;
    for (std::size_t i = at; i < end; i++) {
        const char c = text[i];
        const bool dash_of_a_sentence = c == '-' && (i + 1 == end || is_blank(text[i + 1]));
        if (is_blank(c))
            word_start = true;
        else if (word_start && !dash_of_a_sentence && std::strchr(beginnings, c) != nullptr)
            return true;
        else if (c != '"' && c != '\'' && c != '\\')
            word_start = false;
    }
    return false;
}

// "# text": nobody means the options in such a line.
bool is_comment_line(const std::string& text, std::size_t at, std::size_t end, bool first_in_line) {
    return first_in_line && text[at] == '#' && at + 1 < end && is_blank(text[at + 1]);
}

// Another comment starts with '#' at the start of a word and reaches to the end of the line. Files
// written for programs without comments stay valid: '#' is an ordinary word if anything after it
// could be an option, or if it is glued to text in the middle of a line.
bool is_comment(const std::string& text, std::size_t at, std::size_t end, bool first_in_line) {
    if (text[at] != '#') return false;
    if (!first_in_line && at + 1 < end && !is_blank(text[at + 1]) && text[at + 1] != '#')
        return false;
    return !has_word_with("-$`", text, at + 1, end);
}

std::string reason(int code) {
    switch (code) {
    case WRDE_BADCHAR:
        return "one of | & ; < > ( ) { } must be quoted";
    case WRDE_CMDSUB:
        return "command substitution is not allowed, quote $( and `";
    case WRDE_SYNTAX:
        return "unfinished quote or expansion";
    case WRDE_NOSPACE:
        return "out of memory";
    default:
        return "cannot be expanded";
    }
}

struct Expansion {
    wordexp_t words{};
    int result;
    explicit Expansion(const std::string& text)
        : result(wordexp(text.c_str(), &words, WRDE_NOCMD)) {}
    ~Expansion() {
        if (result == 0 || result == WRDE_NOSPACE) wordfree(&words);
    }
    Expansion(const Expansion&) = delete;
    Expansion& operator=(const Expansion&) = delete;
};

// Said once, however many there are.
std::string remark_on_comments(const std::string& file, const std::vector<unsigned>& lines) {
    std::string text = file + ":" + std::to_string(lines[0]) +
                       ": a line that begins with '#' and a blank is a comment, the options in it "
                       "have no effect";
    if (lines.size() > 1) text += " (" + std::to_string(lines.size()) + " such lines)";
    return text;
}

// `$[` or `$((`, of which the scanner has just consumed [from, next). A blank is put after it:
// glibc crashes on an arithmetic expansion that turns out empty, while blank is only a syntax
// error.
bool starts_arithmetic(const std::string& text, std::size_t from, std::size_t next) {
    if (next - from != 2 || text[from] != '$') return false;
    return text[next - 1] == '[' || (next < text.size() && text[next] == '(');
}

} // namespace

std::vector<Word> split_config_lines(const std::string& text, std::vector<unsigned>* with_options) {
    std::vector<Word> pieces;
    QuoteScanner scanner;
    std::string piece;
    unsigned line = 1, piece_line = 1;
    bool first_in_line = true, word_start = true;
    std::size_t i = 0;
    while (i < text.size()) {
        if (scanner.outside() && text[i] == '\n') {
            pieces.push_back({piece, piece_line});
            piece.clear();
            piece_line = ++line;
            first_in_line = word_start = true;
            i++;
            continue;
        }
        if (scanner.outside() && (word_start || first_in_line)) {
            const std::size_t end = std::min(text.find('\n', i), text.size());
            if (is_comment_line(text, i, end, first_in_line)) {
                if (with_options != nullptr && has_word_with("-", text, i + 1, end))
                    with_options->push_back(line);
                i = end;
                continue;
            }
            if (word_start && is_comment(text, i, end, first_in_line)) {
                i = end;
                continue;
            }
        }
        const std::size_t next = scanner.step(text, i);
        const bool escaped = next - i == 2 && text[i] == '\\';
        const bool arithmetic = starts_arithmetic(text, i, next);
        for (; i < next; i++) {
            if (text[i] == '\n') line++;
            word_start = is_blank(text[i]);
            if (!word_start) first_in_line = false;
            piece += word_start ? ' ' : text[i];
        }
        if (escaped) {
            word_start = false;
            first_in_line = text[i - 1] == '\n'; // the next line may still be a comment
        }
        if (arithmetic) {
            const bool brackets = text[i - 1] == '[';
            if (!brackets) i = scanner.step(text, i);
            piece += brackets ? " " : "( ";
        }
    }
    pieces.push_back({piece, piece_line});
    return pieces;
}

std::vector<Word> expand_config(std::string text, const std::string& file,
                                std::vector<std::string>* remarks) {
    if (is_utf16(text))
        throw ConfigError(
            format("config file '%s' is UTF-16 text, save it as UTF-8", file.c_str()));
    text.erase(0, text.size() - without_byte_order_mark(text).size());
    if (const auto nul = text.find('\0'); nul != std::string::npos) text.resize(nul);
    std::vector<Word> words;
    std::vector<unsigned> with_options;
    const std::vector<Word> pieces = split_config_lines(text, &with_options);
    if (remarks != nullptr && !with_options.empty())
        remarks->push_back(remark_on_comments(file, with_options));
    for (const Word& piece : pieces) {
        // `~` after `=` means the home directory in the first word only, so later pieces need a
        // word before them. (WRDE_APPEND would do that, but frees too much after an error.)
        const std::size_t skip = words.empty() ? 0 : 1;
        const Expansion expansion(skip != 0 ? "x " + piece.text : piece.text);
        if (expansion.result != 0)
            throw ConfigError(
                format("failed to split command line options from file '%s' (line %u: %s)",
                       file.c_str(), piece.line, reason(expansion.result).c_str()));
        for (std::size_t i = skip; i < expansion.words.we_wordc; i++)
            words.push_back({expansion.words.we_wordv[i], piece.line});
    }
    return words;
}

} // namespace nfqws2::app
