// Which files scripts may open, asked by the file functions of Lua.
#pragma once

#include "nfqws2/lua/lua.hpp"

#include <cstdint>

namespace nfqws2::lua {

enum class FileUse : std::uint8_t { read, write, remove };

class FileGate {
  public:
    virtual ~FileGate() = default;
    // False: the script gets "Permission denied". Several threads may ask.
    virtual bool admits(const char* path, FileUse use) const = 0;
};

// Puts the gate, which may be nullptr, in front of io.open, io.lines, io.input, io.output,
// os.remove, os.rename and loadfile, and so of what restrict_libraries() makes of the last one. It
// lives as long as the state. What would make the script wait when it is opened is refused too, and
// passed over by package.searchpath; so are more open files than the program can spare.
void guard_files(lua_State* L, const FileGate* gate);

} // namespace nfqws2::lua
