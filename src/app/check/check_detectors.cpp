#include "check/check_detectors.hpp"

#include "check/known_functions.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>

namespace nfqws2::app {
namespace {

using profile::LuaInstance;

constexpr std::uint64_t most_of_a_packet = 1460, handshake = 1;

// What a detector asks for; no bytes: it judges by what does not come at all.
struct Need {
    std::string_view detector, argument;
    std::uint64_t otherwise;
    bool counts_packets; // without in_pkts it says nothing
};
constexpr Need needs[] = {{"detect_silence", "", 1, true},
                          {"detect_cutoff", "to", 24576, true},
                          {"success_bytes", "bytes", 24576, false}};

class DetectorCheck {
  public:
    DetectorCheck(const LuaInstance& instance, const LuaGlobals& globals, Report& report)
        : instance_(instance), globals_(globals), report_(report) {}

    void run() {
        if (!globals_.contains("automate_result") && globals_.contains(instance_.func))
            add(Level::error, instance_.func + " needs zapret-auto.lua, which no --lua-init loads");
        look("success_detector");
        look("failure_detector");
        check_default();
        check_packets();
    }

  private:
    void add(Level level, const std::string& text) {
        report_.add(level, instance_.position, text + " (instance " + instance_.name + ")");
    }
    void look(std::string_view argument) {
        const std::string* names = instance_.argument(argument);
        if (names == nullptr) return;
        for (const std::string_view name : split(*names, '+')) {
            for (const Need& need : needs)
                if (need.detector == name) check(need);
        }
    }
    void check(const Need& need) {
        const std::string who(need.detector);
        const flow::RangePos& upper = instance_.in_range.to;
        blind_ = sees_nothing();
        if (blind_)
            return add(Level::warning, who + " sees no answers: --in-range lets none through");
        const std::string* given = instance_.argument(need.argument);
        const std::uint64_t bytes = given != nullptr
                                        ? parse_uint(*given, UINT32_MAX).value_or(need.otherwise)
                                        : need.otherwise;
        const std::string as_far = who + " looks at " + std::to_string(bytes) + " bytes of reply";
        if ((upper.mode == 's' || upper.mode == 'b' || upper.mode == 'p') && upper.pos < bytes)
            add(Level::warning,
                as_far + ", --in-range " + flow::to_text(instance_.in_range) + " ends before");
        const std::string* queued = instance_.argument("in_pkts");
        if (queued == nullptr) {
            if (need.counts_packets && !told_by_globals())
                add(Level::warning, who + " says nothing without in_pkts=, which tells how many "
                                          "incoming packets of a connection the rules queue");
            return;
        }
        const auto packets = parse_uint(*queued, UINT32_MAX);
        if (packets && *packets * most_of_a_packet < bytes + handshake * most_of_a_packet)
            add(Level::warning, as_far + ", which do not fit into " + *queued + " packets");
    }
    // Those that are taken if none is named judge by answers too.
    void check_default() {
        if (blind_ || !sees_nothing()) return;
        for (const char* argument : {"success_detector", "failure_detector"}) {
            if (instance_.argument(argument) != nullptr) continue;
            return add(Level::warning, std::string("without ") + argument +
                                           "= answers decide, and --in-range lets none through");
        }
    }
    void check_packets() {
        const std::string* packets = instance_.argument("in_pkts");
        if (packets == nullptr || is_reference(*packets) || *packets == "all") return;
        if (!parse_uint(*packets, UINT32_MAX))
            add(Level::warning, "in_pkts=" + *packets + " is neither a number nor 'all'");
    }
    bool sees_nothing() const {
        return instance_.in_range.from.mode == 'x' || instance_.in_range.to.mode == 'x';
    }
    bool told_by_globals() const {
        return globals_.contains("in_pkts_tcp") || globals_.contains("in_pkts_udp");
    }

    const LuaInstance& instance_;
    const LuaGlobals& globals_;
    Report& report_;
    bool blind_ = false; // which was said
};

} // namespace

void check_detectors(const Profiles& profiles, const LuaGlobals& globals, Report& report) {
    for (const auto& profile : profiles)
        for (const LuaInstance& instance : profile->instances)
            if (instance.func == "learn" || instance.func == "circular")
                DetectorCheck(instance, globals, report).run();
}

} // namespace nfqws2::app
