// Lines of a trace, drawn as ladders.
#include "ctl/ladder/draw.hpp"
#include "nfqws2/base/text.hpp"

#include <cstdlib>

using namespace nfqws2;
using namespace nfqws2::ctl;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    std::vector<TraceEvent> events;
    for (const std::string_view line : split(as_text({raw, size}), '\n'))
        if (auto event = parse_trace_line(line)) events.push_back(std::move(*event));
    const Ladders ladders = make_ladders(events, words("ru"), {5, 50, 10});
    const std::string page = draw_page(ladders, words("ru"), "ru");
    if (page.find("<script") != std::string::npos) std::abort();
    for (const char c : page)
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n') std::abort();
    draw_svg(ladders, words("en"), narrow);
    return 0;
}
