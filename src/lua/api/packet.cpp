// Dissecting, reconstructing and checksums (docs/contracts/native-functions.md#packets).
#include "api/packet.hpp"

#include "api/arguments.hpp"
#include "api/functions.hpp"
#include "table/push_packet.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/packet/checksum.hpp"

namespace nfqws2::lua {

namespace {

constexpr std::size_t max_payload = 65535;

// The argument of a header function, or empty if it is shorter than the base header.
Bytes header_argument(lua_State* L, const char* name, std::size_t base) {
    check_count(L, name, 1);
    const Bytes data = check_string(L, 1);
    return data.size() >= base ? data : Bytes{};
}

int dissect_iphdr(lua_State* L) {
    const Bytes data = header_argument(L, "dissect_iphdr", 20);
    if (data.empty())
        lua_pushnil(L);
    else
        push_ipv4_table(L, push_keys(L), data);
    return 1;
}

int dissect_ip6hdr(lua_State* L) {
    const Bytes data = header_argument(L, "dissect_ip6hdr", 40);
    if (data.empty())
        lua_pushnil(L);
    else
        push_ipv6_table(L, push_keys(L), data);
    return 1;
}

int dissect_tcphdr(lua_State* L) {
    const Bytes data = header_argument(L, "dissect_tcphdr", 20);
    if (data.empty())
        lua_pushnil(L);
    else
        push_tcp_table(L, push_keys(L), data);
    return 1;
}

int dissect_udphdr(lua_State* L) {
    const Bytes data = header_argument(L, "dissect_udphdr", 8);
    if (data.empty())
        lua_pushnil(L);
    else
        push_udp_table(L, push_keys(L), data.data());
    return 1;
}

int dissect_icmphdr(lua_State* L) {
    const Bytes data = header_argument(L, "dissect_icmphdr", 8);
    if (data.empty())
        lua_pushnil(L);
    else
        push_icmp_table(L, push_keys(L), data.data());
    return 1;
}

int dissect(lua_State* L) {
    check_count(L, "dissect", 1, 2);
    const Bytes raw = check_string(L, 1);
    push_dissect(L, packet::dissect(raw, lua_toboolean(L, 2) ? packet::Completeness::partial
                                                             : packet::Completeness::strict));
    return 1;
}

// Pushes the header that was built into the scratch buffer, or raises "invalid data for WHAT". The
// result of the builder is reduced to its size before that.
int finish_header(lua_State* L, const PacketScratch& scratch, std::size_t size, const char* what) {
    if (size == 0) return luaL_error(L, "invalid data for %s", what);
    push(L, Bytes(scratch.packet).first(size));
    return 1;
}

int reconstruct_iphdr(lua_State* L) {
    check_count(L, "reconstruct_iphdr", 1);
    PacketScratch& scratch = state_of(L).scratch();
    packet::Ipv4Fields fields;
    std::size_t size = 0;
    if (lua_istable(L, 1) && TableReader(L).ipv4(1, fields))
        size = packet::build_ipv4_header(fields, scratch.packet).size;
    return finish_header(L, scratch, size, "iphdr");
}

int reconstruct_ip6hdr(lua_State* L) {
    check_count(L, "reconstruct_ip6hdr", 1, 2);
    check_optional_table(L, 2);
    lua_settop(L, 2);
    PacketScratch& scratch = state_of(L).scratch();
    const RebuildOptions options = read_rebuild_options(L, 2, push_keys(L));
    packet::Ipv6Fields fields;
    std::size_t size = 0;
    bool bad_payload_len = false;
    if (lua_istable(L, 1) &&
        TableReader(L).ipv6(1, fields, scratch.blueprint.extensions, &bad_payload_len))
        size = packet::build_ipv6_header(fields, options.ip6_preserve_next, options.ip6_last_proto,
                                         scratch.packet)
                   .size;
    if (bad_payload_len) return luaL_error(L, "reconstruct_ip6hdr: ip6_plen wrong type");
    return finish_header(L, scratch, size, "ip6hdr");
}

int reconstruct_tcphdr(lua_State* L) {
    check_count(L, "reconstruct_tcphdr", 1);
    PacketScratch& scratch = state_of(L).scratch();
    packet::TcpFields fields;
    std::size_t size = 0;
    if (lua_istable(L, 1) && TableReader(L).tcp(1, fields, scratch.blueprint.tcp_options))
        size = packet::build_tcp_header(fields, scratch.packet).size;
    return finish_header(L, scratch, size, "tcphdr");
}

int reconstruct_udphdr(lua_State* L) {
    check_count(L, "reconstruct_udphdr", 1);
    PacketScratch& scratch = state_of(L).scratch();
    packet::UdpFields fields;
    std::size_t size = 0;
    if (lua_istable(L, 1) && TableReader(L).udp(1, fields))
        size = packet::build_udp_header(fields, scratch.packet).size;
    return finish_header(L, scratch, size, "udphdr");
}

int reconstruct_icmphdr(lua_State* L) {
    check_count(L, "reconstruct_icmphdr", 1);
    PacketScratch& scratch = state_of(L).scratch();
    packet::IcmpFields fields;
    std::size_t size = 0;
    if (lua_istable(L, 1) && TableReader(L).icmp(1, fields))
        size = packet::build_icmp_header(fields, scratch.packet).size;
    return finish_header(L, scratch, size, "icmphdr");
}

int reconstruct_dissect(lua_State* L) {
    check_count(L, "reconstruct_dissect", 1, 2);
    if (!lua_istable(L, 1)) return luaL_error(L, "invalid dissect data");
    check_optional_table(L, 2);
    lua_settop(L, 2);
    push(L, check_rebuild(L, 1, read_rebuild_options(L, 2, push_keys(L))));
    return 1;
}

int csum_ip4_fix(lua_State* L) {
    check_count(L, "csum_ip4_fix", 1);
    const Bytes header = check_string(L, 1);
    if (header.size() > 60 || !packet::looks_like_ipv4(header))
        return luaL_error(L, "invalid ip header");
    std::uint8_t copy[60];
    std::memcpy(copy, header.data(), header.size());
    packet::fix_ipv4_checksum(MutBytes(copy, (header[0] & 0x0FU) * 4U));
    push(L, Bytes(copy, header.size()));
    return 1;
}

int fix_l4_checksum(lua_State* L, const char* name, packet::L4Checksum kind, const char* what) {
    check_count(L, name, 3);
    const Bytes ip = check_string(L, 1), header = check_string(L, 2), payload = check_string(L, 3);
    if (!packet::looks_like_ipv4(ip) && !packet::looks_like_ipv6(ip))
        return luaL_error(L, "invalid ip header");
    const bool good =
        kind == packet::L4Checksum::tcp ? packet::looks_like_tcp(header) : header.size() >= 8;
    if (!good) return luaL_error(L, "invalid %s header", what);
    if (payload.size() > max_payload) return luaL_error(L, "invalid payload length");
    const MutBytes copy = push_memory(L, static_cast<std::int64_t>(header.size()));
    std::memcpy(copy.data(), header.data(), header.size());
    store_be16(copy.data() + packet::checksum_offset(kind),
               packet::l4_checksum(kind, ip, header, payload));
    push(L, Bytes(copy));
    return 1;
}

int csum_tcp_fix(lua_State* L) {
    return fix_l4_checksum(L, "csum_tcp_fix", packet::L4Checksum::tcp, "tcp");
}

int csum_udp_fix(lua_State* L) {
    return fix_l4_checksum(L, "csum_udp_fix", packet::L4Checksum::udp, "udp");
}

int csum_icmp_fix(lua_State* L) {
    return fix_l4_checksum(L, "csum_icmp_fix", packet::L4Checksum::icmp, "icmp");
}

} // namespace

Bytes check_rebuild(lua_State* L, int index, const RebuildOptions& options) {
    State& state = state_of(L);
    const Rebuilt result = rebuild(L, state.scratch(), state.services().random, index, options);
    if (result.error == nullptr) return result.packet;
    if (result.raises) luaL_argerror(L, index, result.error);
    log::error("reconstruct_dissect: %s", result.error);
    luaL_error(L, "invalid dissect data");
    return {};
}

void register_packet_api(State& state) {
    static constexpr NativeFunction functions[] = {
        {"dissect", dissect},
        {"dissect_iphdr", dissect_iphdr},
        {"dissect_ip6hdr", dissect_ip6hdr},
        {"dissect_tcphdr", dissect_tcphdr},
        {"dissect_udphdr", dissect_udphdr},
        {"dissect_icmphdr", dissect_icmphdr},
        {"reconstruct_iphdr", reconstruct_iphdr},
        {"reconstruct_ip6hdr", reconstruct_ip6hdr},
        {"reconstruct_tcphdr", reconstruct_tcphdr},
        {"reconstruct_udphdr", reconstruct_udphdr},
        {"reconstruct_icmphdr", reconstruct_icmphdr},
        {"reconstruct_dissect", reconstruct_dissect},
        {"csum_ip4_fix", csum_ip4_fix},
        {"csum_tcp_fix", csum_tcp_fix},
        {"csum_udp_fix", csum_udp_fix},
        {"csum_icmp_fix", csum_icmp_fix},
    };
    register_functions(state, functions);
}

} // namespace nfqws2::lua
