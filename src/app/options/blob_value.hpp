// --blob=NAME:SRC (docs/contracts/command-line.md#blobs).
#pragma once

#include "nfqws2/base/file.hpp"
#include "options/values.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace nfqws2::app {

// --blob: a file is opened while the options are read, and read when the privileges are gone.
struct BlobSource {
    lua::Blob blob;      // with its data, if they were in the text
    FileDescriptor file; // else
    std::string path;
    std::uint64_t size = 0; // at most
};
BlobSource open_blob(const std::string& text, const std::vector<lua::Blob>& existing);
std::vector<std::uint8_t> read_blob(const BlobSource& source); // BadValue

} // namespace nfqws2::app
