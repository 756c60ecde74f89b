// Editing a ClientHello blob: `tls_mod(blob, "rnd,sni=...")` (docs/contracts/protocols.md#tls_mod).
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/random.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::protocol {

struct TlsMod {
    bool rnd = false, rndsni = false, dupsid = false, padencap = false;
    std::optional<std::string> sni;
    bool any() const { return rnd || rndsni || dupsid || padencap || sni.has_value(); }
};
std::optional<TlsMod> parse_tls_mod(std::string_view list);

struct TlsModResult {
    std::vector<std::uint8_t> data;
    std::string error;                // fatal: data is meaningless
    std::vector<std::string> notices; // ignored parts, for the log
    bool ok() const { return error.empty(); }
};
// `payload` is absent when Lua gave nil.
TlsModResult apply_tls_mod(Bytes blob, const TlsMod& mod, std::optional<Bytes> payload,
                           Random& random);

} // namespace nfqws2::protocol
