// Debug text of the choice of instances (docs/contracts/debug-text.md).
#pragma once

#include "nfqws2/lua/desync.hpp"

namespace nfqws2::lua {

// The flow has gone too far for the instance.
void log_beyond(const PacketView& view, const profile::LuaInstance& instance);
// Why an instance is called (nullopt) or not.
void log_decision(const PacketView& view, const profile::LuaInstance& instance,
                  std::optional<Skipped> why);
// It is called now, or answered for.
void log_call(const profile::LuaInstance& instance);

} // namespace nfqws2::lua
