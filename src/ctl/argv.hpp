#pragma once

#include <string>
#include <vector>

namespace nfqws2::ctl {

// What posix_spawn takes of a command; valid as long as the words are.
inline std::vector<char*> argv_of(const std::vector<std::string>& words) {
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (const std::string& word : words)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    return argv;
}

} // namespace nfqws2::ctl
