// The script libraries on arbitrary packets with arbitrary arguments. Input: lines "func:arg=value"
// up to an empty line, one instance each; then packets, each behind its length (two bytes) and a
// byte of flags. Numbers in arguments are cut to three digits: more repeats only cost time. Run
// with -close_fd_mask=3: Lua errors are many.
#include "world.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace {

using namespace nfqws2;
using fuzz::require;
using fuzz::World;

constexpr std::size_t max_instances = 6;

// Does not touch what runs code or writes files by its purpose.
bool wanted(std::string_view function) {
    for (const std::string_view prefix : {"luaexec", "pcap"})
        if (function.starts_with(prefix)) return false;
    return true;
}

std::string with_short_numbers(std::string_view text) {
    std::string out;
    unsigned digits = 0;
    for (const char c : text) {
        digits = c >= '0' && c <= '9' ? digits + 1 : 0;
        if (digits <= 3) out += c;
    }
    return out;
}

engine::Options options() {
    engine::Options o;
    o.ctrack.max_tracks = 20;
    for (const char* name : {"lib", "antidpi", "obfs", "auto"})
        o.lua_init.push_back({true, std::string(NFQWS2_SOURCE_DIR "/lua/zapret-") + name + ".lua"});
    return o;
}

bool add(profile::ProfileBuilder& builder, const std::string& instance) {
    try {
        builder.lua_desync(instance);
        return true;
    } catch (const BadValue&) {
        return false;
    }
}

// False: no engine, since the instances name no function that exists.
bool open(World& world, std::string_view instances) {
    profile::ProfileBuilder builder(world.lists);
    builder.in_range("a");
    std::size_t count = 0;
    for (const std::string_view line : split(instances, '\n'))
        if (count < max_instances && wanted(line)) count += add(builder, with_short_numbers(line));
    return count != 0 && world.open(builder, options());
}

void push_packets(World& world, Bytes input) {
    while (input.size() >= 3) {
        const std::size_t size = std::min<std::size_t>(load_be16(input.data()), input.size() - 3);
        const std::uint8_t flags = input[2];
        if (flags & 2) world.clock.advance_to(world.clock.boot_ns() + 20'000'000'000);
        world.engine->run_timers();
        const std::vector<std::uint8_t> bytes(input.begin() + 3,
                                              input.begin() + 3 + static_cast<long>(size));
        input = input.subspan(3 + size);
        capture::InputPacket packet;
        packet.data = bytes;
        packet.ifin = flags & 1 ? "eth0" : "";
        packet.ifout = flags & 1 ? "" : "eth0";
        const capture::Verdict verdict = world.engine->on_packet(packet);
        require((verdict.action == capture::Action::modify) == !verdict.data.empty());
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes input(data, size);
    const std::string_view text = as_text(input);
    const std::size_t end = text.find("\n\n");
    if (end == std::string_view::npos) return 0;
    World world;
    if (!open(world, text.substr(0, end))) return 0;
    push_packets(world, input.subspan(end + 2));
    world.engine->release_held();
    require(world.engine->held() == 0);
    return 0;
}
