// Which files scripts may open, asked by the file functions of Lua.
#pragma once

#include <cstdint>

namespace nfqws2::lua {

enum class FileUse : std::uint8_t { read, write, remove };

class FileGate {
  public:
    virtual ~FileGate() = default;
    // False: the script gets "Permission denied". Several threads may ask.
    virtual bool admits(const char* path, FileUse use) const = 0;
};

} // namespace nfqws2::lua
