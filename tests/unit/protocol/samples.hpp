// The recorded samples (tests/data/protocol-samples.json) as plain structs.
#pragma once

#include "../places.hpp"

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/protocol/blobs.hpp"

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nfqws2::protocol::test {

using Buffer = std::vector<std::uint8_t>;

inline Buffer hex(std::string_view text) {
    std::string packed;
    for (const char c : text) {
        if (c != ' ' && c != '\n') packed += c;
    }
    auto data = from_hex(packed);
    if (!data) std::abort();
    return std::move(*data);
}

inline Buffer bytes_of(std::string_view text) {
    return {text.begin(), text.end()};
}
inline Buffer copy_of(Bytes data) {
    return {data.begin(), data.end()};
}

struct SamplePacket {
    bool from_initiator = true;
    Buffer payload;
};

struct Sample {
    std::string name, l4;
    std::vector<SamplePacket> setup;
    std::vector<SamplePacket> packets;
    std::string payload_type, flow_protocol;
    std::optional<std::string> hostname;
    std::optional<bool> hostname_is_ip;
    std::optional<Buffer> decrypt_data;
    std::optional<std::size_t> reasm_len;
    bool delayed = false;
    std::vector<std::pair<std::string, std::string>> ipcache;
};

inline Sample parse_sample(const nlohmann::json& j) {
    Sample s;
    s.name = j.at("name");
    s.l4 = j.at("l4");
    const bool out = j.at("direction") == "out";
    for (const auto& p : j.value("setup_packets", nlohmann::json::array()))
        s.setup.push_back(
            {p.at("direction") == "out", hex(p.at("payload_hex").get<std::string>())});
    if (j.contains("packets_hex")) {
        for (const auto& p : j.at("packets_hex"))
            s.packets.push_back({out, hex(p.get<std::string>())});
    } else {
        s.packets.push_back({out, hex(j.at("payload_hex").get<std::string>())});
    }
    s.payload_type = j.at("expect_payload_type");
    s.flow_protocol = j.at("expect_flow_protocol");
    if (!j.at("expect_hostname").is_null()) s.hostname = j.at("expect_hostname");
    if (j.contains("expect_hostname_is_ip")) s.hostname_is_ip = j.at("expect_hostname_is_ip");
    if (j.contains("expect_decrypt_data_hex"))
        s.decrypt_data = hex(j.at("expect_decrypt_data_hex").get<std::string>());
    if (j.contains("expect_reasm_len")) s.reasm_len = j.at("expect_reasm_len");
    s.delayed = j.value("expect_delayed", false);
    for (const auto& p : j.value("expect_ipcache", nlohmann::json::array()))
        s.ipcache.emplace_back(p.at(0), p.at(1));
    return s;
}

inline const std::vector<Sample>& samples() {
    static const std::vector<Sample> all = [] {
        nlohmann::json j;
        std::ifstream(nfqws2::test::in_data("protocol-samples.json")) >> j;
        std::vector<Sample> list;
        for (const auto& item : j)
            list.push_back(parse_sample(item));
        return list;
    }();
    return all;
}

inline const Sample& sample(std::string_view name) {
    for (const Sample& s : samples()) {
        if (s.name == name) return s;
    }
    std::abort();
}
inline const Buffer& sample_payload(std::string_view name) {
    return sample(name).packets.front().payload;
}

// What googletest prints for a failing parameterised sample.
inline void PrintTo(const Sample& s, std::ostream* out) {
    *out << s.name;
}

} // namespace nfqws2::protocol::test
