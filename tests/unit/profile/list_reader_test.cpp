#include "profile_testing.hpp"

#include "nfqws2/profile/list_reader.hpp"

#include <algorithm>
#include <fcntl.h>

namespace nfqws2::profile {
namespace {

using testing::gzip;
using testing::TempDir;
using Entries = std::vector<std::string>;

Entries entries_of(std::string_view text, std::vector<std::size_t>* lines = nullptr) {
    Entries entries;
    ListScanner scanner([&](std::string_view token, std::size_t line) {
        entries.emplace_back(token);
        if (lines != nullptr) lines->push_back(line);
    });
    EXPECT_EQ(scanner.scan(text, true), text.size());
    return entries;
}

struct FromFile {
    Entries entries;
    ListFileResult result;
};
FromFile read_file(const std::string& path) {
    FromFile from;
    from.result = scan_list_file(
        path, [&](std::string_view token, std::size_t) { from.entries.emplace_back(token); });
    return from;
}

TEST(ListScanner, Lines) {
    EXPECT_EQ(entries_of("a\nb\n"), (Entries{"a", "b"}));
    EXPECT_EQ(entries_of("a\nb"), (Entries{"a", "b"})); // missing newline at the end
    EXPECT_EQ(entries_of(""), Entries{});
    EXPECT_EQ(entries_of("\n\n \t\n"), Entries{});
}

TEST(ListScanner, Comments) {
    EXPECT_EQ(entries_of("#a\n;b\n/c\n//d\n \t# e\nf # g\nh;i\n"), (Entries{"f", "h;i"}));
}

TEST(ListScanner, Blanks) {
    EXPECT_EQ(entries_of(" \ta b c\n\td\te\n"), (Entries{"a", "d"}));
}

TEST(ListScanner, CarriageReturnAndNulEndALine) {
    EXPECT_EQ(entries_of("a\r\nb\r\n"), (Entries{"a", "b"}));
    EXPECT_EQ(entries_of("a\rb\r#c\rd"), (Entries{"a", "b", "d"}));
    EXPECT_EQ(entries_of(std::string_view("a\0b x\0\n", 7)), (Entries{"a", "b"}));
}

TEST(ListScanner, ByteOrderMarkIsSkipped) {
    EXPECT_EQ(entries_of("\xEF\xBB\xBF"
                         "a.com\n\xEF\xBB\xBF"
                         "b.com\n"),
              (Entries{"a.com", "\xEF\xBB\xBF"
                                "b.com"}));
}

TEST(ListScanner, TheRestOfTheLine) {
    std::vector<std::string> rests;
    ListScanner scanner(
        [&](std::string_view, const ListLine& line) { rests.emplace_back(line.rest); });
    scanner.scan("a\nb \t c d\r\n e  \nf #g\rh i", true);
    EXPECT_EQ(rests, (Entries{"", "c d", "", "#g", "i"}));
}

TEST(ListScanner, Utf16IsNoticed) {
    for (const char* begin : {"\xFF\xFE", "\xFE\xFF", "\xEF\xBB\xBF", "a\n\xFF\xFE"}) {
        ListScanner scanner([](std::string_view, const ListLine&) {});
        scanner.scan(begin, true);
        EXPECT_EQ(scanner.utf16(), begin[0] == '\xFF' || begin[0] == '\xFE');
    }
}

TEST(ListScanner, LineNumbers) {
    std::vector<std::size_t> lines;
    entries_of("#\na\n\nb\r\nc", &lines);
    EXPECT_EQ(lines, (std::vector<std::size_t>{2, 4, 5}));
}

TEST(ListScanner, KeepsAnUnfinishedLine) {
    Entries entries;
    ListScanner scanner([&](std::string_view token, std::size_t) { entries.emplace_back(token); });
    EXPECT_EQ(scanner.scan("a\nb", false), 2U);
    EXPECT_EQ(entries, (Entries{"a"}));
    EXPECT_EQ(scanner.scan("bc\nd\n", false), 5U);
    EXPECT_EQ(entries, (Entries{"a", "bc", "d"}));
}

TEST(ListItems, CommaSeparated) {
    Entries entries;
    scan_list_items("a.com,,b.com junk,#c, d ,^e",
                    [&](std::string_view token, std::size_t) { entries.emplace_back(token); });
    EXPECT_EQ(entries, (Entries{"a.com", "b.com", "d", "^e"}));
}

TEST(ListFile, PlainAndGzipAreToldApartByContents) {
    const TempDir dir;
    const std::string text = "a.com\n#x\nb.com";
    const FromFile plain = read_file(dir.write("plain.gz", text));
    EXPECT_TRUE(plain.result.ok);
    EXPECT_FALSE(plain.result.gzip);
    EXPECT_EQ(plain.entries, (Entries{"a.com", "b.com"}));
    const FromFile packed = read_file(dir.write("packed.txt", gzip(text)));
    EXPECT_TRUE(packed.result.ok);
    EXPECT_TRUE(packed.result.gzip);
    EXPECT_EQ(packed.result.bytes, text.size());
    EXPECT_EQ(packed.entries, plain.entries);
    EXPECT_TRUE(is_gzip_file(dir.file("packed.txt")));
    EXPECT_FALSE(is_gzip_file(dir.file("plain.gz")));
    EXPECT_FALSE(is_gzip_file(dir.file("missing")));
}

// It was a file when it was looked at. Nobody writes to the pipe, so reading it would never end.
TEST(ListFile, PipeOrDeviceInPlaceOfTheFileIsNotWaitedFor) {
    const TempDir dir;
    const std::string pipe = dir.file("pipe");
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    for (const std::string& path : {pipe, std::string("/dev/zero")}) {
        EXPECT_FALSE(is_gzip_file(path));
        const FromFile from = read_file(path);
        EXPECT_FALSE(from.result.ok);
        EXPECT_FALSE(from.result.opened);
        EXPECT_EQ(from.result.error, path + ": not a regular file");
    }
    EXPECT_TRUE(read_file("/dev/null").result.ok);
}

// What was open already may be anything.
TEST(ListFile, TextThatDoesNotEnd) {
    constexpr std::uint64_t limit = std::uint64_t{32} << 20;
    const TempDir dir;
    const std::string packed = dir.write("packed", gzip(std::string(limit + (8 << 20), '\n')));
    for (const std::string& path : {std::string("/dev/zero"), packed}) {
        const ListFileResult result = scan_list_file(
            path, [](std::string_view, const ListLine&) {},
            FileDescriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC)), limit);
        EXPECT_FALSE(result.ok);
        EXPECT_EQ(result.error, path + ": more than 32 MB of text");
    }
}

TEST(ListFile, OnlyTheFirstGzipMember) {
    const TempDir dir;
    const FromFile two = read_file(dir.write("two", gzip("a.com\n") + gzip("b.com\n")));
    EXPECT_TRUE(two.result.ok);
    EXPECT_EQ(two.entries, (Entries{"a.com"}));
    const FromFile trailing = read_file(dir.write("trailing", gzip("a.com\n") + "garbage"));
    EXPECT_TRUE(trailing.result.ok);
    EXPECT_EQ(trailing.entries, (Entries{"a.com"}));
}

TEST(ListFile, DamagedGzip) {
    const TempDir dir;
    const std::string whole = gzip("a.com\nb.com\n");
    const auto error = [&](const std::string& bytes) {
        const FromFile from = read_file(dir.write("f", bytes));
        EXPECT_FALSE(from.result.ok);
        EXPECT_TRUE(from.result.opened);
        return from.result.error;
    };
    EXPECT_EQ(error(whole.substr(0, whole.size() - 1)), "zlib decompression failed : result -3");
    EXPECT_EQ(error(whole.substr(0, 2)), "zlib decompression failed : result -3");
    std::string corrupt = whole;
    corrupt[whole.size() - 6] = static_cast<char>(corrupt[whole.size() - 6] ^ 1);
    EXPECT_EQ(error(corrupt), "zlib decompression failed : result -3");
}

TEST(ListFile, RawZlibIsText) {
    const TempDir dir;
    EXPECT_FALSE(read_file(dir.write("z", "\x78\x9c"
                                          "abc\n"))
                     .result.gzip);
}

TEST(ListFile, Errors) {
    const TempDir dir;
    const FromFile missing = read_file(dir.file("missing"));
    EXPECT_FALSE(missing.result.ok);
    EXPECT_FALSE(missing.result.opened);
    EXPECT_EQ(missing.result.error, dir.file("missing") + ": No such file or directory");
    const FromFile directory = read_file(dir.file("."));
    EXPECT_FALSE(directory.result.ok);
    EXPECT_EQ(directory.result.error, dir.file(".") + ": Is a directory");
}

TEST(ListFile, EmptyFile) {
    const TempDir dir;
    const FromFile empty = read_file(dir.write("e", ""));
    EXPECT_TRUE(empty.result.ok);
    EXPECT_TRUE(empty.entries.empty());
    EXPECT_TRUE(read_file(dir.write("one", "\x1F")).result.ok);
}

TEST(ListFile, PiecesDoNotShow) {
    const TempDir dir;
    std::string text;
    Entries expected;
    for (int i = 0; i < 60'000; ++i) {
        expected.push_back("host" + std::to_string(i) + ".example.com");
        text += expected.back() + (i % 3 == 0 ? " # comment\r\n" : "\n");
    }
    EXPECT_EQ(read_file(dir.write("plain", text)).entries, expected);
    EXPECT_EQ(read_file(dir.write("packed", gzip(text))).entries, expected);
    std::string by_cr = text;
    std::replace(by_cr.begin(), by_cr.end(), '\n', '\r');
    EXPECT_EQ(read_file(dir.write("cr", by_cr)).entries, expected);
}

TEST(ListFile, LongLinesAreNotCutIntoEntries) {
    const TempDir dir;
    const std::string text = "a.com " + std::string(5000, 'x') + " y\nb.com #" +
                             std::string(400'000, 'z') + " w\nc.com\n#" +
                             std::string(400'000, ' ') + "no\nd.com\n";
    EXPECT_EQ(read_file(dir.write("long", text)).entries,
              (Entries{"a.com", "b.com", "c.com", "d.com"}));
}

} // namespace
} // namespace nfqws2::profile
