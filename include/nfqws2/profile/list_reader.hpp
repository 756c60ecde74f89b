// Turns the text of a list into entries: the first word of every line that is not a comment
// (docs/contracts/lists.md#files). Files are read in pieces, so that the memory needed does not
// depend on their size, and a file that shrinks while it is read does no harm (a mapping would).
#pragma once

#include "nfqws2/base/file.hpp"

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace nfqws2::profile {

// Where an entry stands. Whoever needs the number alone takes it as such.
struct ListLine {
    std::size_t number;    // from 1 on
    std::string_view rest; // of the line behind the entry and blanks
    operator std::size_t() const { return number; }
};

class ListScanner {
  public:
    using Entry = std::function<void(std::string_view token, const ListLine& line)>;
    explicit ListScanner(Entry entry) : entry_(std::move(entry)) {}

    // Handles the complete lines at the front of `text` and returns their size in bytes; the caller
    // presents the rest again with more behind it. `last`: an unfinished line is complete.
    std::size_t scan(std::string_view text, bool last);
    // The same for a piece of a line that is longer than the caller can hold. Without any line end
    // in it (CR and NUL count) its first word is handled, and what follows up to the next line end
    // belongs to no entry.
    std::size_t scan_oversized(std::string_view text);
    // The text began as UTF-16 does, so there are no entries in it.
    bool utf16() const { return utf16_; }

  private:
    void scan_line(std::string_view line);

    Entry entry_;
    std::size_t line_ = 1;
    bool first_ = true;
    bool utf16_ = false;
    bool skipping_ = false;
};

struct ListFileResult {
    bool ok = false;
    bool opened = false;
    bool gzip = false;
    bool utf16 = false;
    std::uint64_t bytes = 0; // of text
    std::string error;       // "zlib decompression failed : result -3", "P: Is a directory"
};
// Bytes of text, inflated. A device, or a packed file that grows a thousandfold, must end some
// time.
inline constexpr std::uint64_t most_list_text = std::uint64_t{4} << 30;
// `opened`: it is open already, whatever it is. A path is read only if it comes to an end. Entries
// that came before an error were handed out.
ListFileResult scan_list_file(const std::string& path, const ListScanner::Entry& entry,
                              FileDescriptor opened = {}, std::uint64_t limit = most_list_text);

// A pipe, a device: reading it may never come to an end.
bool is_endless(const struct stat& st);

bool is_gzip_file(const std::string& path);
bool is_gzip_file(int fd); // it is open for reading

// Items of --hostlist-domains, --ipset-ip: a comma ends an item as a line end does.
void scan_list_items(std::string_view items, const ListScanner::Entry& entry);

} // namespace nfqws2::profile
