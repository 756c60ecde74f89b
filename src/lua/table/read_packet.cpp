// Lua tables to packet fields (docs/contracts/wire.md#building), and the rebuild made of them.
#include "table/read_packet.hpp"

#include "api/arguments.hpp"

namespace nfqws2::lua {

namespace {

// More headers than this do not fit into any packet.
constexpr int max_extensions = 65536 / 8;

Bytes bytes_at(lua_State* L, int index) {
    std::size_t size = 0;
    const char* data = lua_tolstring(L, index, &size);
    return {reinterpret_cast<const std::uint8_t*>(data), size};
}

} // namespace

int TableReader::push_field(int table, Key key) {
    push_key(L_, keys_, key);
    lua_rawget(L_, table);
    return lua_type(L_, -1);
}

bool TableReader::required_number(int table, Key key, std::uint64_t& out) {
    const bool good = push_field(table, key) == LUA_TNUMBER;
    if (good) out = static_cast<std::uint64_t>(to_int(L_, -1));
    lua_pop(L_, 1);
    return good;
}

std::uint64_t TableReader::optional_number(int table, Key key) {
    push_field(table, key);
    const auto value = static_cast<std::uint64_t>(to_int(L_, -1));
    lua_pop(L_, 1);
    return value;
}

// Values are taken modulo the width of the field.
template <typename T> bool TableReader::required(int table, Key key, T& out) {
    std::uint64_t value = 0;
    if (!required_number(table, key, value)) return false;
    out = static_cast<T>(value);
    return true;
}

template <typename T> void TableReader::optional(int table, Key key, T& out) {
    out = static_cast<T>(optional_number(table, key));
}

bool TableReader::required_string(int table, Key key, Bytes& out) {
    const bool good = push_field(table, key) == LUA_TSTRING;
    if (good) out = bytes_at(L_, -1);
    lua_pop(L_, 1);
    return good;
}

template <std::size_t N>
bool TableReader::address(int table, Key key, std::array<std::uint8_t, N>& out) {
    Bytes bytes;
    if (!required_string(table, key, bytes) || bytes.size() != N) return false;
    std::memcpy(out.data(), bytes.data(), N);
    return true;
}

bool TableReader::ipv4(int table, packet::Ipv4Fields& out) {
    optional(table, Key::ip_tos, out.tos);
    optional(table, Key::ip_id, out.id);
    optional(table, Key::ip_off, out.off);
    if (push_field(table, Key::ip_len) != LUA_TNIL)
        out.len = static_cast<std::uint16_t>(to_int(L_, -1));
    lua_pop(L_, 1);
    required_string(table, Key::options, out.options);
    return required(table, Key::ip_ttl, out.ttl) && required(table, Key::ip_p, out.protocol) &&
           address(table, Key::ip_src, out.source) && address(table, Key::ip_dst, out.destination);
}

bool TableReader::ipv6(int table, packet::Ipv6Fields& out,
                       std::vector<packet::ExtensionField>& scratch, bool* bad_payload_len) {
    required(table, Key::ip6_flow, out.flow);
    optional(table, Key::ip6_nxt, out.next);
    optional(table, Key::ip6_hlim, out.hop_limit);
    const int type = push_field(table, Key::ip6_plen);
    if (type == LUA_TNUMBER) out.payload_len = static_cast<std::uint16_t>(to_int(L_, -1));
    lua_pop(L_, 1);
    *bad_payload_len = type != LUA_TNUMBER && type != LUA_TNIL;

    scratch.clear();
    const bool has_list = push_field(table, Key::exthdr) == LUA_TTABLE;
    const bool good_list = !has_list || extensions(lua_gettop(L_), scratch);
    lua_pop(L_, 1);
    out.extensions = scratch;
    return good_list && !*bad_payload_len && address(table, Key::ip6_src, out.source) &&
           address(table, Key::ip6_dst, out.destination);
}

bool TableReader::extensions(int list, std::vector<packet::ExtensionField>& out) {
    for (int i = 1; i <= max_extensions; i++) {
        lua_rawgeti(L_, list, i);
        if (lua_isnil(L_, -1)) {
            lua_pop(L_, 1);
            return true;
        }
        const int element = lua_gettop(L_);
        packet::ExtensionField header;
        const bool good = lua_istable(L_, element) && required(element, Key::type, header.type) &&
                          required_string(element, Key::data, header.data);
        if (good) {
            required(element, Key::next, header.next);
            out.push_back(header);
        }
        lua_pop(L_, 1);
        if (!good) return false;
    }
    return false;
}

bool TableReader::tcp(int table, packet::TcpFields& out,
                      std::span<packet::TcpOptionField> scratch) {
    optional(table, Key::th_x2, out.x2);
    optional(table, Key::th_urp, out.urgent);
    optional(table, Key::th_sum, out.checksum);
    push_field(table, Key::options);
    const bool good_list = tcp_options(lua_gettop(L_), out, scratch);
    lua_pop(L_, 1);
    return good_list && required(table, Key::th_sport, out.source_port) &&
           required(table, Key::th_dport, out.destination_port) &&
           required(table, Key::th_seq, out.seq) && required(table, Key::th_ack, out.ack) &&
           required(table, Key::th_flags, out.flags) && required(table, Key::th_win, out.window);
}

// What is no list is none.
bool TableReader::tcp_options(int index, packet::TcpFields& out,
                              std::span<packet::TcpOptionField> scratch) {
    std::size_t count = 0;
    const bool good = !lua_istable(L_, index) || list_of_options(index, scratch, count);
    out.options = scratch.first(count);
    return good;
}

// Kind 0 ends the list whatever follows.
bool TableReader::list_of_options(int list, std::span<packet::TcpOptionField> scratch,
                                  std::size_t& count) {
    for (int i = 1;; i++) {
        lua_rawgeti(L_, list, i);
        if (lua_isnil(L_, -1)) {
            lua_pop(L_, 1);
            return true;
        }
        const int element = lua_gettop(L_);
        packet::TcpOptionField option;
        const bool good = count < scratch.size() && lua_istable(L_, element) &&
                          required(element, Key::kind, option.kind);
        if (good) {
            required_string(element, Key::data, option.data);
            scratch[count++] = option;
        }
        lua_pop(L_, 1);
        if (!good) return false;
        if (option.kind == 0) return true;
    }
}

bool TableReader::udp(int table, packet::UdpFields& out) {
    optional(table, Key::uh_ulen, out.length);
    optional(table, Key::uh_sum, out.checksum);
    return required(table, Key::uh_sport, out.source_port) &&
           required(table, Key::uh_dport, out.destination_port);
}

bool TableReader::icmp(int table, packet::IcmpFields& out) {
    optional(table, Key::icmp_cksum, out.checksum);
    return required(table, Key::icmp_type, out.type) && required(table, Key::icmp_code, out.code) &&
           required(table, Key::icmp_data, out.data);
}

namespace {

constexpr const char* bad_payload_len_error = "reconstruct_ip6hdr: ip6_plen wrong type";
constexpr const char* bad_frag_off_error = "frag_off must be an integer";

// Reads the dissect table at `dis` into `plan`. Strings that are not in a table are left on the
// stack, so that they live until the packet is built.
class PlanReader {
  public:
    PlanReader(lua_State* L, packet::BlueprintScratch& scratch)
        : L_(L), reader_(L), scratch_(scratch) {}

    // What the compiled reader has left on the stack, where the names of fields came after it.
    Rebuilt finish(packet::Blueprint& plan) {
        if (plan.l4 == packet::L4::tcp &&
            !reader_.tcp_options(lua_gettop(L_) - 1, plan.tcp, scratch_.tcp_options))
            return {{}, "bad tcp", false};
        return {};
    }
    Rebuilt read(int dis, packet::Blueprint& plan) {
        // First, since a number becomes a string: a finalizer that runs then may change the tables.
        const int type = reader_.push_field(dis, Key::payload);
        if (type == LUA_TSTRING || type == LUA_TNUMBER) plan.payload = bytes_at(L_, -1);
        if (reader_.push_field(dis, Key::frag_off) != LUA_TNIL) {
            if (!lua_isnumber(L_, -1)) return {{}, bad_frag_off_error, true};
            plan.fragment_mode = true;
        }
        Rebuilt problem = read_l3(dis, plan);
        if (problem.error == nullptr && !plan.fragment_mode) problem = read_l4(dis, plan);
        plan.raw_protocol = packet::raw_protocol_of(
            static_cast<std::uint8_t>(reader_.optional_number(dis, Key::l4proto)));
        return problem;
    }

  private:
    Rebuilt read_l3(int dis, packet::Blueprint& plan) {
        bool bad_payload_len = false;
        if (reader_.push_field(dis, Key::ip) == LUA_TTABLE) {
            plan.l3 = packet::L3::ipv4;
            if (!reader_.ipv4(lua_gettop(L_), plan.ip)) return {{}, "bad ip", false};
        } else if (reader_.push_field(dis, Key::ip6) == LUA_TTABLE) {
            plan.l3 = packet::L3::ipv6;
            if (!reader_.ipv6(lua_gettop(L_), plan.ip6, scratch_.extensions, &bad_payload_len))
                return bad_payload_len ? Rebuilt{{}, bad_payload_len_error, true}
                                       : Rebuilt{{}, "bad ip6", false};
        } else {
            return {{}, "bad ip6", false};
        }
        return {};
    }

    Rebuilt read_l4(int dis, packet::Blueprint& plan) {
        if (reader_.push_field(dis, Key::tcp) == LUA_TTABLE) {
            plan.l4 = packet::L4::tcp;
            if (!reader_.tcp(lua_gettop(L_), plan.tcp, scratch_.tcp_options))
                return {{}, "bad tcp", false};
        } else if (reader_.push_field(dis, Key::udp) == LUA_TTABLE) {
            plan.l4 = packet::L4::udp;
            if (!reader_.udp(lua_gettop(L_), plan.udp)) return {{}, "bad udp", false};
        } else if (reader_.push_field(dis, Key::icmp) == LUA_TTABLE) {
            plan.l4 = packet::L4::icmp;
            if (!reader_.icmp(lua_gettop(L_), plan.icmp)) return {{}, "bad icmp", false};
        }
        return {};
    }

    lua_State* L_;
    TableReader reader_;
    packet::BlueprintScratch& scratch_;
};

} // namespace

Rebuilt rebuild(lua_State* L, PacketScratch& scratch, Random& random, int index,
                const RebuildOptions& options) {
    const int top = lua_gettop(L);
    luaL_checkstack(L, 20, "packet tables");
    packet::Blueprint plan;
    const bool fast = scratch.reader.read(L, index, plan);
    PlanReader reader(L, scratch.blueprint);
    Rebuilt result = fast ? reader.finish(plan) : reader.read(index, plan);
    if (result.error == nullptr) {
        if (options.last_proto_named) plan.raw_protocol = packet::proto::none;
        packet::ReconstructOptions how;
        how.keep_checksum = options.keepsum;
        how.bad_checksum = options.badsum;
        how.preserve_next = options.ip6_preserve_next;
        how.last_proto = options.ip6_last_proto;
        packet::Reconstructed built = packet::reconstruct(plan, how, random, scratch.packet);
        result.packet = Bytes(scratch.packet).first(built.size);
        if (!built.ok()) {
            scratch.error = std::move(built.error);
            result.error = scratch.error.c_str();
        }
    }
    lua_settop(L, top);
    return result;
}

RebuildOptions read_rebuild_options(lua_State* L, int index, int keys) {
    RebuildOptions options;
    if (!lua_istable(L, index)) return options;
    const auto is_set = [L, index, keys](Key key) {
        get_field(L, keys, index, key);
        const bool set = lua_toboolean(L, -1);
        lua_pop(L, 1);
        return set;
    };
    options.keepsum = is_set(Key::keepsum);
    options.badsum = is_set(Key::badsum);
    options.ip6_preserve_next = is_set(Key::ip6_preserve_next);
    get_field(L, keys, index, Key::ip6_last_proto);
    if (lua_isnumber(L, -1)) {
        options.last_proto_named = true;
        options.ip6_last_proto = static_cast<std::uint8_t>(to_int(L, -1));
    }
    lua_pop(L, 1);
    return options;
}

namespace {

// Arguments and results of the protected call.
struct RebuildRequest {
    PacketScratch* scratch;
    Random* random;
    const RebuildOptions* options;
    Rebuilt result;
};

int rebuild_requested(lua_State* L) {
    auto& request = *static_cast<RebuildRequest*>(lua_touserdata(L, 2));
    request.result = rebuild(L, *request.scratch, *request.random, 1, *request.options);
    return 0;
}

} // namespace

Bytes rebuild_protected(lua_State* L, PacketScratch& scratch, Random& random, int index,
                        const RebuildOptions& options, std::string* error) {
    const int top = lua_gettop(L);
    if (!lua_istable(L, index) || !lua_checkstack(L, 3)) {
        *error = "bad dissect";
        return {};
    }
    RebuildRequest request{&scratch, &random, &options, {}};
    lua_pushcfunction(L, rebuild_requested);
    lua_pushvalue(L, index);
    lua_pushlightuserdata(L, &request);
    const int status = lua_pcall(L, 2, 0, 0);
    if (status != 0) {
        const char* message = lua_tostring(L, -1);
        *error = message != nullptr ? message : "unknown error";
        request.result.packet = {};
    } else if (request.result.error != nullptr) {
        *error = request.result.error;
    }
    lua_settop(L, top);
    return request.result.packet;
}

} // namespace nfqws2::lua
