// Which flows a client means (docs/control.md#flows).
#pragma once

#include "nfqws2/control/command.hpp"
#include "nfqws2/flow/track.hpp"
#include "nfqws2/packet/dissect.hpp"
#include "nfqws2/profile/profile_set.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::app {

class FlowFilter {
  public:
    // The fields it reads, for a row of the table.
    static std::vector<control::Field> fields();

    // False: *refusal tells why.
    bool read(const control::Request& request, const profile::ProfileSet& profiles,
              control::Refusal* refusal);
    bool admits(const flow::Track& track) const;
    // Whether a packet may be of such a flow, whatever else is known of that.
    bool may_admit(const packet::Dissect& packet) const;
    // Whether only a flow can tell.
    bool asks_flow() const { return host_ || profiles_ || l7_ || state_ || held_; }
    bool refuses_host(std::string_view host) const { return host_ && !is_below(host); }

  private:
    bool read_address(const std::string& text);
    bool fits_network(const IpAddress& one, const IpAddress& other) const;
    bool is_below(std::string_view host) const;

    IpAddress network_; // empty: any
    unsigned prefix_ = 0;
    std::optional<std::uint16_t> port_;
    std::optional<std::string> host_;
    std::optional<std::vector<std::uint32_t>> profiles_; // ids: none of them is one after a reload
    std::optional<bool> tcp_, held_;
    std::optional<protocol::L7> l7_;
    std::optional<std::string> state_;
};

// "established", for UDP "answered".
std::string_view state_name(const flow::Track& track);

// Whether it is this name or one below it.
bool is_host_below(std::string_view host, std::string_view name);

} // namespace nfqws2::app
