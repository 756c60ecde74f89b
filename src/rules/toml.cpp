// TOML 1.0. Numbers with fractions and dates are told from the rest but not read, since no value of
// a rule is one.
#include "nfqws2/base/json.hpp"
#include "nfqws2/rules/document.hpp"

#include <charconv>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace nfqws2::rules {

#if NFQWS2_HAVE_TOML

bool can_parse() {
    return true;
}

namespace {

class TomlReader {
  public:
    TomlReader(std::string_view text, std::uint16_t file) : text_(text), place_{file, 1, 1} {}
    Node document(); // throws SyntaxError

  private:
    // Tables, keys and values within each other. Each costs a few hundred bytes of the stack.
    static constexpr std::size_t deepest = 256;

    struct Table;
    struct Entry {
        Place at;
        std::unique_ptr<Table> table;             // or
        std::vector<std::unique_ptr<Table>> rows; // of [[an array of tables]], or
        Node value;
    };
    struct Table {
        // How it came to be decides who may add to it.
        enum class Made : std::uint8_t {
            header,  // by a header: headers below it
            implied, // by a header below it: others below it, and one header of its own
            dotted,  // by a dotted key: more of them, and headers below it
        };
        Made made = Made::header;
        Place at;
        std::map<std::string, Entry> members;
    };
    struct Key {
        std::string text;
        Place at;
    };

    [[noreturn]] static void fail(const Place& place, std::string text) {
        throw SyntaxError{place, std::move(text)};
    }
    [[noreturn]] void fail(std::string text) const { fail(place_, std::move(text)); }
    [[noreturn]] static void fail_twice(const Key& key) {
        fail(key.at, "'" + key.text + "' stands here twice");
    }

    bool ended() const { return at_ == text_.size(); }
    char next() const { return ended() ? '\0' : text_[at_]; } // NUL may stand nowhere
    bool sees(std::string_view what) const { return text_.substr(at_).starts_with(what); }
    void skip(std::size_t count = 1);
    bool take(std::string_view what);
    bool take_line_end() { return take("\n") || take("\r\n"); }
    void blanks();
    void comment();
    void end_of_line();
    void blanks_and_lines();
    void check_characters();

    std::vector<Key> path();
    std::string key_text();
    void header();
    static Table& below(Table& table, const Key& key, const Place& at);
    void assignment(Table& table, std::size_t depth);
    static Node finish(Table& table);

    Node value(std::size_t depth);
    void array(Node& out, std::size_t depth);
    Node inline_table(std::size_t depth);
    void word(Node& out);
    std::string_view take_word();
    static std::optional<std::int64_t> integer(std::string_view word, const Place& at);
    std::string text();
    std::string text_of_lines(char quote, std::string_view quotes);
    bool take_folded_line_end();
    void character(std::string& out, bool literal);
    void escape(std::string& out);

    std::string_view text_;
    std::size_t at_ = 0;
    Place place_; // of at_
    Table root_;
    Table* table_ = &root_; // where keys go
};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_of_key(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

bool is_control(char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
}

// A place counts characters, not bytes.
void TomlReader::skip(std::size_t count) {
    for (const char c : text_.substr(at_, count)) {
        if (c == '\n') {
            place_.line++;
            place_.column = 1;
        } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
            place_.column++;
        }
    }
    at_ += count;
}

bool TomlReader::take(std::string_view what) {
    if (!sees(what)) return false;
    skip(what.size());
    return true;
}

void TomlReader::blanks() {
    while (next() == ' ' || next() == '\t')
        skip();
}

void TomlReader::comment() {
    if (next() != '#') return;
    while (!ended() && next() != '\n' && !sees("\r\n")) {
        if (is_control(next())) fail("a control character");
        skip();
    }
}

void TomlReader::end_of_line() {
    blanks();
    comment();
    if (!ended() && !take_line_end()) fail("the line should end here");
}

void TomlReader::blanks_and_lines() {
    do {
        blanks();
        comment();
    } while (take_line_end());
}

void TomlReader::check_characters() {
    while (!ended()) {
        const std::size_t length = utf8_length(text_.substr(at_));
        if (length == 0) fail("this is not UTF-8");
        skip(length);
    }
}

Node TomlReader::document() {
    if (sees("\xEF\xBB\xBF")) text_.remove_prefix(3);
    const Place begin = place_;
    check_characters();
    at_ = 0;
    place_ = root_.at = begin;
    while (!ended()) {
        blanks();
        if (next() == '[')
            header();
        else if (is_of_key(next()) || next() == '"' || next() == '\'')
            assignment(*table_, 1);
        end_of_line();
    }
    return finish(root_);
}

std::vector<TomlReader::Key> TomlReader::path() {
    std::vector<Key> keys;
    do {
        blanks();
        const Place at = place_;
        keys.push_back({key_text(), at});
        blanks();
        if (keys.size() > deepest) fail("too deep");
    } while (take("."));
    return keys;
}

std::string TomlReader::key_text() {
    if (sees("\"\"\"") || sees("'''")) fail("a key has one line");
    if (next() == '"' || next() == '\'') return text();
    std::string key;
    for (; is_of_key(next()); skip())
        key += next();
    if (key.empty()) fail("a key is needed here");
    return key;
}

void TomlReader::header() {
    const Place at = place_;
    skip();
    const bool row = take("[");
    const std::vector<Key> keys = path();
    if (!take(row ? "]]" : "]")) fail(row ? "']]' is needed here" : "']' is needed here");
    Table* table = &root_;
    for (std::size_t i = 0; i + 1 < keys.size(); i++)
        table = &below(*table, keys[i], at);
    const Key& last = keys.back();
    const auto [found, anew] = table->members.try_emplace(last.text);
    Entry& entry = found->second;
    if (anew) entry.at = last.at;
    if (row) {
        if (!anew && entry.rows.empty()) fail_twice(last);
        if (anew) entry.value.at = at;
        table_ = entry.rows.emplace_back(std::make_unique<Table>()).get();
    } else if (anew) {
        entry.table = std::make_unique<Table>();
        table_ = entry.table.get();
    } else {
        if (entry.table == nullptr || entry.table->made != Table::Made::implied) fail_twice(last);
        table_ = entry.table.get();
    }
    table_->made = Table::Made::header;
    table_->at = at;
}

// The table of this name on the way of a header.
TomlReader::Table& TomlReader::below(Table& table, const Key& key, const Place& at) {
    const auto [found, anew] = table.members.try_emplace(key.text);
    Entry& entry = found->second;
    if (anew) {
        entry.at = key.at;
        entry.table = std::make_unique<Table>();
        entry.table->made = Table::Made::implied;
        entry.table->at = at;
    }
    if (!entry.rows.empty()) return *entry.rows.back();
    if (entry.table == nullptr) fail(key.at, "'" + key.text + "' is no table that can grow");
    return *entry.table;
}

void TomlReader::assignment(Table& into, std::size_t depth) {
    const std::vector<Key> keys = path();
    if (!take("=")) fail("'=' is needed here");
    Table* table = &into;
    for (std::size_t i = 0; i + 1 < keys.size(); i++) {
        const auto [found, anew] = table->members.try_emplace(keys[i].text);
        Entry& entry = found->second;
        if (anew) {
            entry.at = keys[i].at;
            entry.table = std::make_unique<Table>();
            entry.table->made = Table::Made::dotted;
            entry.table->at = keys[i].at;
        }
        if (entry.table == nullptr || entry.table->made != Table::Made::dotted) fail_twice(keys[i]);
        table = entry.table.get();
    }
    const auto [found, anew] = table->members.try_emplace(keys.back().text);
    if (!anew) fail_twice(keys.back());
    found->second.at = keys.back().at;
    blanks();
    found->second.value = value(depth + keys.size());
}

// Members in the order of their keys.
Node TomlReader::finish(Table& table) {
    Node node;
    node.at = table.at;
    node.members.reserve(table.members.size());
    for (auto& [key, entry] : table.members) {
        Node value = std::move(entry.value);
        if (entry.table != nullptr) value = finish(*entry.table);
        if (!entry.rows.empty()) value.kind = Node::Kind::array;
        for (const auto& row : entry.rows)
            value.items.push_back(finish(*row));
        node.members.push_back({key, entry.at, std::move(value)});
    }
    return node;
}

Node TomlReader::value(std::size_t depth) {
    if (depth > deepest) fail("too deep");
    if (next() == '{') return inline_table(depth);
    Node out;
    out.at = place_;
    if (next() == '[') {
        array(out, depth);
    } else if (next() == '"' || next() == '\'') {
        out.kind = Node::Kind::text;
        out.text = text();
    } else {
        word(out);
    }
    return out;
}

void TomlReader::array(Node& out, std::size_t depth) {
    out.kind = Node::Kind::array;
    skip();
    do {
        blanks_and_lines();
        if (next() == ']') break; // also behind a comma
        out.items.push_back(value(depth + 1));
        blanks_and_lines();
    } while (take(","));
    if (!take("]")) fail("',' or ']' is needed here");
}

// On one line, without a comma at its end.
Node TomlReader::inline_table(std::size_t depth) {
    Table table;
    table.at = place_;
    skip();
    blanks();
    if (!take("}")) {
        do {
            assignment(table, depth);
            blanks();
        } while (take(","));
        if (!take("}")) fail("',' or '}' is needed here");
    }
    return finish(table);
}

std::string_view TomlReader::take_word() {
    const std::size_t begin = at_;
    while (is_of_key(next()) || next() == '+' || next() == '.' || next() == ':')
        skip();
    return text_.substr(begin, at_ - begin);
}

// A number with a fraction, a date or a time.
bool is_other_number(std::string_view word) {
    if (word.starts_with('+') || word.starts_with('-')) word.remove_prefix(1);
    if (word == "inf" || word == "nan") return true;
    return !word.empty() && is_digit(word[0]) &&
           is_digit(word.back() == 'Z' ? word[0] : word.back()) &&
           word.find_first_of(".eE:-") != std::string_view::npos;
}

void TomlReader::word(Node& out) {
    const std::string_view word = take_word();
    if (word == "true" || word == "false") {
        out.kind = Node::Kind::boolean;
        out.integer = word == "true" ? 1 : 0;
    } else if (const auto number = integer(word, out.at)) {
        out.kind = Node::Kind::integer;
        out.integer = *number;
    } else if (is_other_number(word)) {
        out.kind = Node::Kind::other;
        const bool date = word.size() == 10 && word[4] == '-' && word[7] == '-';
        if (date && next() == ' ' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1])) {
            skip();
            take_word(); // its time
        }
    } else {
        fail(out.at, word.empty()
                         ? "a value is needed here"
                         : "'" + std::string(word) + "' is no value; text stands in quotes");
    }
}

std::optional<std::int64_t> TomlReader::integer(std::string_view word, const Place& at) {
    const bool negative = word.starts_with('-'), sign = negative || word.starts_with('+');
    if (sign) word.remove_prefix(1);
    int base = 10;
    if (!sign && word.starts_with("0x")) base = 16;
    if (!sign && word.starts_with("0o")) base = 8;
    if (!sign && word.starts_with("0b")) base = 2;
    if (base != 10) word.remove_prefix(2);
    if (word.empty() || word[0] == '-' || word[0] == '_' || word.back() == '_') return std::nullopt;
    if (base == 10 && word.size() > 1 && word[0] == '0') return std::nullopt;
    if (word.find("__") != std::string_view::npos) return std::nullopt;
    std::string digits(word);
    std::erase(digits, '_');
    if (negative) digits.insert(0, 1, '-');
    std::int64_t number = 0;
    const char* const end = digits.data() + digits.size();
    const auto result = std::from_chars(digits.data(), end, number, base);
    if (result.ptr != end) return std::nullopt;
    if (result.ec == std::errc::result_out_of_range)
        fail(at, "the number does not fit into 64 bits");
    return number;
}

std::string TomlReader::text() {
    const char quote = next();
    const std::string_view quotes = quote == '"' ? "\"\"\"" : "'''";
    if (take(quotes)) return text_of_lines(quote, quotes);
    skip();
    std::string out;
    while (next() != quote) {
        if (ended() || next() == '\n') fail("the text does not end on its line");
        character(out, quote == '\'');
    }
    skip();
    return out;
}

std::string TomlReader::text_of_lines(char quote, std::string_view quotes) {
    take_line_end();
    std::string out;
    while (!sees(quotes)) {
        if (ended()) fail("the text does not end");
        if (quote == '"' && take_folded_line_end()) continue;
        if (sees("\r\n")) {
            out += "\r\n";
            skip(2);
        } else if (next() == '\n') {
            out += '\n';
            skip();
        } else {
            character(out, quote == '\'');
        }
    }
    skip(quotes.size());
    for (int i = 0; i < 2 && next() == quote; i++) { // these belong to the text
        out += quote;
        skip();
    }
    return out;
}

// A backslash at the end of a line: what is blank up to the next character is not there.
bool TomlReader::take_folded_line_end() {
    if (next() != '\\') return false;
    const std::size_t end = text_.find_first_not_of(" \t", at_ + 1);
    if (end == std::string_view::npos) return false;
    if (text_[end] != '\n' && !text_.substr(end).starts_with("\r\n")) return false;
    skip();
    do {
        blanks();
    } while (take_line_end());
    return true;
}

void TomlReader::character(std::string& out, bool literal) {
    if (next() == '\\' && !literal) return escape(out);
    if (is_control(next())) fail("a control character");
    out += next();
    skip();
}

void TomlReader::escape(std::string& out) {
    static constexpr std::string_view letters = "btnfr\"\\", meant = "\b\t\n\f\r\"\\";
    const Place begin = place_;
    skip();
    const char kind = next();
    if (const std::size_t known = letters.find(kind); known != std::string_view::npos) {
        out += meant[known];
        skip();
        return;
    }
    const std::size_t count = kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    if (count == 0) fail(begin, "an unknown escape; \\\\ is a backslash");
    skip();
    const std::string_view digits = text_.substr(at_, count);
    std::uint32_t code = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    const bool whole = digits.size() == count && result.ptr == digits.data() + count;
    if (!whole || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        fail(begin, "this escape is no character");
    append_utf8(out, code);
    skip(count);
}

} // namespace

bool parse_toml(std::string_view text, std::uint16_t file, Node& root, SyntaxError& error) {
    try {
        root = TomlReader(text, file).document();
        return true;
    } catch (SyntaxError& e) {
        error = std::move(e);
        return false;
    }
}

#else

bool can_parse() {
    return false;
}

bool parse_toml(std::string_view, std::uint16_t file, Node&, SyntaxError& error) {
    error = {{file, 1, 1}, "not part of this build"};
    return false;
}

#endif

} // namespace nfqws2::rules
