// The packets of the golden captures.
#pragma once

#include "../../places.hpp"
#include "nfqws2/base/file.hpp"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace nfqws2::test {

inline std::vector<std::vector<std::uint8_t>> golden_packets() {
    std::vector<std::vector<std::uint8_t>> packets;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(in_data("golden"))) {
        if (entry.path().filename() != "in.pcap") continue;
        const ReadResult file = read_file(entry.path().string());
        const std::vector<std::uint8_t>& data = file.data;
        std::size_t at = 24; // classic pcap, little endian
        while (at + 16 <= data.size()) {
            const std::size_t size = data[at + 8] + 256U * data[at + 9];
            if (at + 16 + size > data.size()) break;
            const auto begin = data.begin() + static_cast<std::ptrdiff_t>(at + 16);
            packets.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(size));
            at += 16 + size;
        }
    }
    return packets;
}

} // namespace nfqws2::test
