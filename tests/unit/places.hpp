// What the tests are told by their build and their environment: where they find files, how much
// time they have. Paths are not macros of every compilation: they would keep a compiler cache from
// being shared between source trees.
#pragma once

#include <string>

namespace nfqws2::test {

std::string in_source(const std::string& path); // below the source tree
std::string in_data(const std::string& path);   // below tests/data

// Of very many inputs, only each so many-th is to be used: 1, or what NFQWS2_TEST_EVERY says where
// an emulator makes everything ten times slower. An odd number, so that all bits of bytes have
// turns.
unsigned every();

} // namespace nfqws2::test
