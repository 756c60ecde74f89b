// Answers of nl80211.
#include "nfqws2/capture/wlan_message.hpp"

#include <cstdlib>

using namespace nfqws2;
using namespace nfqws2::capture;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    const Bytes message(raw, size);
    parse_family(message);
    if (const auto interface = parse_wlan_interface(message); interface && interface->name.empty())
        std::abort();
    for (const auto& ssid : {parse_connected_ssid(message), find_ssid(message)})
        if (ssid && (ssid->size() > 32 || ssid->find('\0') != std::string::npos)) std::abort();
    return 0;
}
