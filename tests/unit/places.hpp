// Where the tests find files. Not macros of every compilation: these paths would keep a compiler
// cache from being shared between source trees.
#pragma once

#include <string>

namespace nfqws2::test {

std::string in_source(const std::string& path); // below the source tree
std::string in_data(const std::string& path);   // below tests/data

} // namespace nfqws2::test
