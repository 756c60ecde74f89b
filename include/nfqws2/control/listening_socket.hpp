// The socket in the file system. It is made with the privileges of the start and stays behind at
// the end, when the process has no right to remove it any more; so the next start finds it, and
// replaces it unless somebody answers there.
#pragma once

#include "nfqws2/base/file.hpp"

#include <string>

namespace nfqws2::control {

struct ListeningSocket {
    FileDescriptor file;
    std::string path;  // without links
    std::string error; // why there is none

    explicit operator bool() const { return static_cast<bool>(file); }
};

// Group and mode 0660 are there before anybody can connect.
ListeningSocket listen_at(const std::string& path, unsigned group);
// For datagrams, whose senders the kernel names; mode 0600.
ListeningSocket take_datagrams_at(const std::string& path);

} // namespace nfqws2::control
