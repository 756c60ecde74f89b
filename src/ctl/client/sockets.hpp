// Which daemon is meant: the control sockets of those that run.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace nfqws2::ctl {

// Where the service puts them: nfqws2-QNUM.sock, nfqws2-NAME.sock. Routers have no /run.
std::string socket_folder();

// Those files of the folder, sorted, whether anybody answers there or not.
std::vector<std::string> socket_files(const std::string& folder);

struct Choice {
    std::string path, error; // one of both
};
// What -s or -q name, else the one that answers. `is_live` tells whether somebody does.
Choice choose_socket(const std::string& path, const std::string& queue, const std::string& folder,
                     bool (*is_live)(const std::string&));

} // namespace nfqws2::ctl
