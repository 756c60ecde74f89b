// Running a profile's Lua instances on one packet: which of them are due, the `desync` table, the
// calls, the verdict (spec part 06 sections 5-10, part 03 section 5.3).
#pragma once

#include "nfqws2/capture/packet_io.hpp"
#include "nfqws2/lua/desync_table.hpp"
#include "nfqws2/lua/host.hpp"
#include "nfqws2/profile/profile_set.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace nfqws2::lua {

class Desync {
  public:
    explicit Desync(Host& host);
    ~Desync();

    // Interns names and arguments of all instances. False: a desync function does not exist
    // (logged).
    bool prepare(const profile::ProfileSet& profiles);
    // The result's bytes live in host.scratch: valid until Lua runs again.
    capture::Verdict run(const PacketView& view);
    std::uint64_t errors() const { return errors_; }

  private:
    struct Prepared;
    struct PreparedProfile;

    bool push_arguments(const Prepared& instance, int desync_index);
    bool substitute(const Prepared& instance, std::string_view value, int desync_index);
    std::optional<int> call(const PacketView& view, const profile::LuaInstance& instance,
                            const Prepared& prepared, int desync_index, bool* cancelled);
    std::optional<int> verdict_of(int result_count, const PacketView& view,
                                  const profile::LuaInstance& instance);
    capture::Verdict rebuild(const PacketView& view, int desync_index, bool preserve_next);
    capture::Verdict failed();

    Host& host_;
    DesyncTable table_;
    std::vector<PreparedProfile> prepared_; // by profile number
    std::uint64_t errors_ = 0;
};

} // namespace nfqws2::lua
