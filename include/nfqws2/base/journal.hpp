// The journal of systemd as the reader of a stream.
#pragma once

#include <string>
#include <string_view>

namespace nfqws2 {

// Is the descriptor the stream that JOURNAL_STREAM ("device:inode", may be null) names?
bool leads_to_journal(int fd, const char* stream);

// The lines with "<priority>" before each, as the journal takes it off again. Empty ones are left
// out: there they separate nothing.
std::string with_priority(std::string_view lines, int priority);

} // namespace nfqws2
