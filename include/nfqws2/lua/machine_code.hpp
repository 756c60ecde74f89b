// How the engine's compiler keeps the machine code it makes.
#pragma once

#include <cstdint>

namespace nfqws2::lua {

enum class MachineCode : std::uint8_t {
    none,    // there is no compiler
    sealed,  // its pages can be written to or executed, never both
    writable // both at a time, as some builds of LuaJIT have it
};

// Compiles a loop in a state of its own and looks.
MachineCode find_machine_code();

} // namespace nfqws2::lua
