// XMPP stream openings and the STARTTLS exchange (docs/contracts/protocols.md#probes).
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::protocol {

// "<stream:stream " (also behind "<?xml "), "<starttls ", "<proceed ", "<stream:features".
bool is_xmpp_stream(Bytes data);
bool is_xmpp_starttls(Bytes data);
bool is_xmpp_proceed(Bytes data);
bool is_xmpp_features(Bytes data);

} // namespace nfqws2::protocol
