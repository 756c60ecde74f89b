// Header bytes to Lua tables. This runs for every packet that a script sees: tables get their exact
// size at once and keys come from the registry (keys.hpp).
#include "table/push_packet.hpp"

#include "api/arguments.hpp"
#include "nfqws2/packet/header_walk.hpp"

namespace nfqws2::lua {

namespace {

// Sets fields of the table on top of the stack.
class Fields {
  public:
    Fields(lua_State* L, int keys, int count) : L_(L), keys_(keys) { lua_createtable(L, 0, count); }
    void number(Key key, std::uint32_t value) {
        push_key(L_, keys_, key);
        push_int(L_, value);
        lua_rawset(L_, -3);
    }
    void bytes(Key key, const std::uint8_t* data, std::size_t size) {
        push_key(L_, keys_, key);
        push(L_, Bytes(data, size));
        lua_rawset(L_, -3);
    }
    // The value is made by `make`, which leaves it on the stack.
    template <typename Make> void value(Key key, Make&& make) {
        push_key(L_, keys_, key);
        make();
        lua_rawset(L_, -3);
    }

  private:
    lua_State* L_;
    int keys_;
};

void push_extensions(lua_State* L, int keys, Bytes packet) {
    lua_createtable(L, 0, 0);
    packet::ExtensionWalk walk(packet);
    packet::ExtensionHeader header;
    for (int i = 1; walk.next(header); i++) {
        Fields f(L, keys, 3);
        f.number(Key::type, header.type);
        f.number(Key::next, header.next);
        f.bytes(Key::data, header.data.data(), header.data.size());
        lua_rawseti(L, -2, i);
    }
}

void push_tcp_options(lua_State* L, int keys, Bytes options) {
    lua_createtable(L, 0, 0);
    packet::TcpOptionWalk walk(options);
    packet::TcpOption option;
    for (int i = 1; walk.next(option); i++) {
        Fields f(L, keys, option.kind <= 1 ? 1 : 2);
        f.number(Key::kind, option.kind);
        if (option.kind > 1) f.bytes(Key::data, option.data.data(), option.data.size());
        lua_rawseti(L, -2, i);
    }
}

} // namespace

void push_ipv4_table(lua_State* L, int keys, Bytes header) {
    const std::uint8_t* p = header.data();
    const std::size_t size = (p[0] & 0x0FU) * 4U;
    const bool has_options = size > 20 && size <= header.size();
    Fields f(L, keys, has_options ? 12 : 11);
    f.number(Key::ip_v, p[0] >> 4);
    f.number(Key::ip_hl, p[0] & 0x0F);
    f.number(Key::ip_tos, p[1]);
    f.number(Key::ip_len, load_be16(p + 2));
    f.number(Key::ip_id, load_be16(p + 4));
    f.number(Key::ip_off, load_be16(p + 6));
    f.number(Key::ip_ttl, p[8]);
    f.number(Key::ip_p, p[9]);
    f.number(Key::ip_sum, load_be16(p + 10));
    f.bytes(Key::ip_src, p + 12, 4);
    f.bytes(Key::ip_dst, p + 16, 4);
    if (has_options) f.bytes(Key::options, p + 20, size - 20);
}

void push_ipv6_table(lua_State* L, int keys, Bytes packet) {
    const std::uint8_t* p = packet.data();
    Fields f(L, keys, 7);
    f.number(Key::ip6_flow, load_be32(p));
    f.number(Key::ip6_plen, load_be16(p + 4));
    f.number(Key::ip6_nxt, p[6]);
    f.number(Key::ip6_hlim, p[7]);
    f.bytes(Key::ip6_src, p + 8, 16);
    f.bytes(Key::ip6_dst, p + 24, 16);
    f.value(Key::exthdr, [&] { push_extensions(L, keys, packet); });
}

void push_tcp_table(lua_State* L, int keys, Bytes header) {
    const std::uint8_t* p = header.data();
    const std::size_t size = (p[12] >> 4) * 4U;
    const Bytes options = size > 20 ? clipped(header, 20, size - 20) : Bytes{};
    Fields f(L, keys, 11);
    f.number(Key::th_sport, load_be16(p));
    f.number(Key::th_dport, load_be16(p + 2));
    f.number(Key::th_seq, load_be32(p + 4));
    f.number(Key::th_ack, load_be32(p + 8));
    f.number(Key::th_x2, p[12] & 0x0F);
    f.number(Key::th_off, p[12] >> 4);
    f.number(Key::th_flags, p[13]);
    f.number(Key::th_win, load_be16(p + 14));
    f.number(Key::th_sum, load_be16(p + 16));
    f.number(Key::th_urp, load_be16(p + 18));
    f.value(Key::options, [&] { push_tcp_options(L, keys, options); });
}

void push_udp_table(lua_State* L, int keys, const std::uint8_t* p) {
    Fields f(L, keys, 4);
    f.number(Key::uh_sport, load_be16(p));
    f.number(Key::uh_dport, load_be16(p + 2));
    f.number(Key::uh_ulen, load_be16(p + 4));
    f.number(Key::uh_sum, load_be16(p + 6));
}

void push_icmp_table(lua_State* L, int keys, const std::uint8_t* p) {
    Fields f(L, keys, 4);
    f.number(Key::icmp_type, p[0]);
    f.number(Key::icmp_code, p[1]);
    f.number(Key::icmp_cksum, load_be16(p + 2));
    f.number(Key::icmp_data, load_be32(p + 4));
}

void push_dissect(lua_State* L, const packet::Dissect& d) {
    luaL_checkstack(L, 12, "packet tables");
    const int keys = push_keys(L);
    const int count = 4 + 2 * d.is_ip() + (d.l4 != packet::L4::none) + d.fragment;
    Fields f(L, keys, count);
    f.number(Key::l4proto, d.l4proto);
    f.number(Key::transport_len, d.transport_len);
    f.number(Key::l3_len, d.l3_len);
    f.number(Key::l4_len, d.l4_len);
    if (d.is_ip()) f.bytes(Key::payload, d.payload.data(), d.payload.size());
    if (d.fragment) f.number(Key::frag_off, d.frag_off);
    if (d.l3 == packet::L3::ipv4)
        f.value(Key::ip, [&] { push_ipv4_table(L, keys, d.packet); });
    else if (d.l3 == packet::L3::ipv6)
        f.value(Key::ip6, [&] { push_ipv6_table(L, keys, d.packet); });
    switch (d.l4) {
    case packet::L4::tcp:
        f.value(Key::tcp, [&] { push_tcp_table(L, keys, d.packet.subspan(d.l3_len, d.l4_len)); });
        break;
    case packet::L4::udp:
        f.value(Key::udp, [&] { push_udp_table(L, keys, d.transport()); });
        break;
    case packet::L4::icmp:
        f.value(Key::icmp, [&] { push_icmp_table(L, keys, d.transport()); });
        break;
    case packet::L4::none:
        break;
    }
    lua_remove(L, keys);
}

} // namespace nfqws2::lua
