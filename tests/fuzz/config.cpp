// Configuration text: line splitting, expansion, the option grammar and the readers of values that
// touch no files.
#include "app/options/blob_value.hpp"
#include "app/options/config_file.hpp"
#include "app/options/option_parser.hpp"
#include "app/options/option_table.hpp"
#include "app/options/values.hpp"
#include "nfqws2/flow/range.hpp"
#include "nfqws2/profile/filters.hpp"
#include "nfqws2/profile/lua_call.hpp"
#include "nfqws2/profile/profile_builder.hpp"

#include <cstdlib>
#include <string>

namespace {

using namespace nfqws2;

// Pieces must cover the text in order: what one piece loses may only be blanks and comments.
void split(const std::string& text) {
    unsigned line = 0;
    for (const app::Word& piece : app::split_config_lines(text)) {
        if (piece.line <= line) std::abort();
        line = piece.line;
    }
}

void parse_options(const std::vector<app::Word>& words) {
    const app::Arguments arguments{"x", "file", words};
    app::OptionParser parser(arguments, app::option_names(), false);
    for (;;) {
        const auto step = parser.next();
        if (step != app::OptionParser::Step::option) break;
        if (parser.option().index >= app::option_names().size()) std::abort();
        if (parser.option().position >= words.size()) std::abort();
    }
}

template <typename F> void attempt(F&& reader) {
    try {
        reader();
    } catch (const BadValue&) {
        // refusing is fine
    }
}

void read_values(const std::string& text) {
    attempt([&] { app::parse_flag(text); });
    attempt([&] { app::parse_fwmark(text); });
    attempt([&] { app::parse_ctrack_timeouts(text, {}); });
    attempt([&] { app::parse_uid(text, {}); });
    attempt([&] { app::parse_networks(text); });
    attempt([&] { app::open_blob("a:0x" + text, {}); });
    profile::PortFilter ports;
    profile::IcmpFilter icmp;
    profile::ProtocolFilter protocols;
    ports.add(text);
    icmp.add(text);
    protocols.add(text);
    flow::parse_range(text);
    attempt([&] { profile::parse_lua_call(text); });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    split(text);
    // File name expansion would walk the disk.
    if (text.find_first_of("*?[~") == std::string::npos) {
        try {
            parse_options(app::expand_config(text, "file"));
        } catch (const app::ConfigError&) {
            // refusing is fine
        }
    }
    parse_options({{text, 1}, {"--" + text, 2}});
    read_values(text);
    return 0;
}
