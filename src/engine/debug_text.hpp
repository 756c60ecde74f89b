// What --debug says about a packet on its way. Programs read these lines: see
// docs/contracts/debug-text.md. Each function formats; callers ask log::debug_enabled() first.
#pragma once

#include "nfqws2/capture/packet_io.hpp"
#include "passage.hpp"

namespace nfqws2::engine::debug_text {

// "packet: id=1 len=60 mark=00000000 ifin=(0) ifout=eth0(2)", set off by an empty line.
void arrived(const capture::InputPacket& packet);
// "IP4: 10.0.0.1 => 10.0.0.2 proto=tcp ttl=64 sport=1025 dport=443 flags=S seq=1 ack_seq=0" and,
// if there is data, "TCP: len=3 : 61 62 63 : abc". A replayed packet begins with "REPLAY ".
void headers(const packet::Dissect& d, bool replayed);
// "client mode desync profile/ipcache search target ip=10.0.0.2 port=443"
void target(const Passage& p, bool server_mode);
// "dpi desync src=10.0.0.1:1025 dst=10.0.0.2:443 track_direction=out ..."
void desync(const Passage& p);
// "packet: id=1 pass unmodified"
void judged(const capture::InputPacket& packet, const capture::Verdict& verdict);

} // namespace nfqws2::engine::debug_text
