#include "machine.hpp"

namespace nfqws2::engine::test {

namespace {

constexpr std::size_t tell_header = 20;

constexpr const char* prelude = R"lua(
local head = "\69" .. string.rep("\0", 19)
function tell(...)
    local t = {...}
    for i = 1, select("#", ...) do t[i] = tostring(t[i]) end
    rawsend(head .. table.concat(t, " "), {ifout = "tell"})
end
function drop() return VERDICT_DROP end
function modify() return VERDICT_MODIFY end
function pass() return VERDICT_PASS end
)lua";

} // namespace

bool Wire::send(const capture::OutputPacket& packet) {
    if (packet.ifout == "tell")
        told.emplace_back(as_text(packet.data.subspan(tell_header)));
    else
        for (unsigned i = 0; i < packet.repeats; i++)
            sent.push_back({copy_of(packet.data), packet.mark, std::string(packet.ifout)});
    return true;
}

Machine::Machine(Config config) : EngineWorld(make_seeded_random(7), start_ns) {
    profile::testing::Options words(lists);
    EXPECT_TRUE(words.parse(config.profile)) << words.error;
    EXPECT_TRUE(lists.load_all());
    take(std::move(words.built.profiles));
    std::vector<lua::LuaInit>& init = config.options.lua_init;
    init.insert(init.begin(), {false, prelude});
    init.push_back({false, config.lua});
    ready = start(std::move(config.options), services_with(config.rules));
}

Machine::~Machine() {
    engine.reset(); // its judge uses the tables
}

engine::Services Machine::services_with(const std::string& text) {
    engine::Services all = services(wire, network);
    if (text.empty()) return all;
    const rules::Compiled compiled = rules::compile_text("version = 1\n" + text, "test.toml");
    EXPECT_TRUE(compiled.errors.empty()) << compiled.errors.front();
    tables_ = std::make_unique<rules::Tables>(*compiled.program, rules::TableSetup{});
    std::string error;
    std::vector<std::string> warnings;
    all.rule_tables = tables_.get();
    all.rules = rules::bring_in_force(compiled.program, *tables_, nullptr, &error, &warnings);
    return all;
}

Outcome Machine::collect(const capture::Verdict& verdict) {
    new_mark = verdict.mark;
    Outcome outcome{verdict.action, copy_of(verdict.data), std::move(wire.told),
                    std::move(wire.sent), verdict.finished};
    wire.told.clear();
    wire.sent.clear();
    return outcome;
}

Outcome Machine::process(Bytes packet, std::string_view ifin, std::string_view ifout,
                         std::uint32_t fwmark, bool merged) {
    capture::InputPacket input;
    input.data = packet;
    input.mark = fwmark;
    input.ifin = ifin;
    input.ifout = ifout;
    input.merged = merged;
    return collect(engine->on_packet(input));
}

void Machine::advance(double seconds) {
    clock.advance_to(clock.boot_ns() + static_cast<std::int64_t>(seconds * 1e9));
}

Outcome Machine::wait(double seconds) {
    advance(seconds);
    engine->run_timers();
    return collect({});
}

void Machine::open(const TcpFlow& flow) {
    out(flow.syn());
    in(flow.syn_ack());
    out(flow.ack());
}

Lines Machine::ip_cache() const {
    Lines lines;
    engine->dump_ip_cache(
        [&](const std::string& line) { lines.push_back(line.substr(0, line.find(" now="))); });
    return lines;
}

} // namespace nfqws2::engine::test
