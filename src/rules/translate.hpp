// Stateless translation of addresses: the network part is replaced, checksums are corrected by the
// difference (RFC 1624), since the bytes they cover need not all be there.
#pragma once

#include "layers.hpp"
#include "program.hpp"

namespace nfqws2::rules {

// `packet` is what `layers` were walked over. False: no prefix for this family, nothing changed.
bool translate(MutBytes packet, const Layers& layers, const action::Translate& how);

} // namespace nfqws2::rules
