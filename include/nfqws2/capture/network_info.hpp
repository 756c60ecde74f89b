// What the machine's network looks like: the live one, and the fixed table of offline runs.
#pragma once

#include "nfqws2/capture/packet_io.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::capture {

struct Network {
    IpAddress address;
    unsigned prefix = 0;

    bool contains(const IpAddress& a) const;
};

class LiveNetworkInfo final : public NetworkInfo {
  public:
    // `ssid_of` gives the Wi-Fi network of an interface name, "" if unknown; may be empty.
    explicit LiveNetworkInfo(std::function<std::string_view(std::string_view)> ssid_of = {})
        : ssid_of_(std::move(ssid_of)) {}

    IpAddress source_for(const IpAddress& target) override;
    std::optional<std::vector<Interface>> interfaces() override;

  private:
    std::function<std::string_view(std::string_view)> ssid_of_;
};

// One interface that holds the local addresses of --pcap-local; every target is reachable if there
// is a local address of its family.
class OfflineNetworkInfo final : public NetworkInfo {
  public:
    static constexpr unsigned interface_index = 1;

    OfflineNetworkInfo(std::string interface_name, std::vector<Network> local)
        : interface_name_(std::move(interface_name)), local_(std::move(local)) {}

    void set_local(std::vector<Network> local) { local_ = std::move(local); }

    IpAddress source_for(const IpAddress& target) override;
    std::optional<std::vector<Interface>> interfaces() override;

  private:
    std::string interface_name_;
    std::vector<Network> local_;
};

} // namespace nfqws2::capture
