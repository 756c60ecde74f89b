// A ladder: who sent what when, one for each flow of a trace. This is what is to be drawn, in rows;
// how it looks is up to draw.hpp.
#pragma once

#include "ladder/trace_event.hpp"
#include "ladder/words.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nfqws2::ctl {

enum class Lane : std::uint8_t { machine, daemon, network };
enum class Tone : std::uint8_t { original, changed, piece, decoy };

// The bytes of a packet at their place in the message.
struct Strip {
    Range message, part;
    std::optional<Range> host;    // of the message
    std::optional<Range> foreign; // of the part: not the message's own bytes
    std::optional<Range> named;   // where the part shows the name itself
    std::vector<std::int64_t> cuts;
};

struct Row {
    enum class Kind : std::uint8_t { arrow, note, gap };
    Kind kind = Kind::note;
    Tone tone = Tone::original;
    Lane from = Lane::machine, to = Lane::network;
    std::string title, detail, time;
    std::optional<Strip> strip;
};

struct Ladder {
    std::string title, subtitle;
    std::vector<Row> rows;
};

// A trace can be of any size; a picture cannot.
struct LadderLimits {
    std::size_t ladders = 50, rows = 600, sent = 40;
};

struct Ladders {
    std::vector<Ladder> ladders;
    std::int64_t omitted = 0; // flows
};

Ladders make_ladders(std::span<const TraceEvent> trace, const Words& words,
                     const LadderLimits& limits = {});

} // namespace nfqws2::ctl
