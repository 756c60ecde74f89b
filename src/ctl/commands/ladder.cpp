// `nfqws2ctl ladder`: a picture of a trace, without a daemon.
#include "commands/commands.hpp"

#include "ladder/draw.hpp"
#include "ladder/trace_event.hpp"
#include "lines.hpp"
#include "nfqws2/base/file.hpp"
#include "nfqws2/base/text.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

namespace nfqws2::ctl {
namespace {

// Of more nobody sees a picture; a filter finds what is wanted in a larger trace.
constexpr std::size_t max_events = 50'000;

struct Request {
    std::string file = "-", output, host, format, language = "en";
    std::int64_t flow = -1;
    bool svg = false;
};

struct Trace {
    std::vector<TraceEvent> events;
    std::int64_t skipped = 0;
    bool too_long = false;
};

bool is_below(std::string_view name, std::string_view domain) {
    if (!name.ends_with(domain)) return false;
    return name.size() == domain.size() || name[name.size() - domain.size() - 1] == '.';
}

bool wanted(const TraceEvent& event, const Request& request) {
    return request.flow < 0 || event.flow == request.flow;
}

Trace read_trace(const Request& request) {
    FileDescriptor file(request.file == "-" ? dup(STDIN_FILENO)
                                            : open(request.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) throw Failure(request.file + ": " + std::strerror(errno));
    LineReader lines(file.get(), max_trace_line);
    Trace trace;
    while (const auto line = lines.next()) {
        if (line->empty()) continue;
        std::optional<TraceEvent> event = parse_trace_line(*line);
        if (!event)
            trace.skipped++;
        else if (trace.events.size() == max_events)
            trace.too_long = true;
        else if (wanted(*event, request))
            trace.events.push_back(std::move(*event));
    }
    trace.skipped += lines.too_long();
    if (!lines.error().empty()) throw Failure(request.file + ": " + lines.error());
    return trace;
}

// A name becomes known in the middle of a flow: the flow is wanted from its beginning.
void keep_host(std::vector<TraceEvent>& events, const std::string& host) {
    const std::string domain = ascii_lower(host);
    std::vector<std::pair<std::int64_t, std::int64_t>> flows;
    for (const TraceEvent& e : events)
        if (e.flow >= 0 && is_below(e.host, domain)) flows.emplace_back(e.worker, e.flow);
    std::sort(flows.begin(), flows.end());
    std::erase_if(events, [&](const TraceEvent& e) {
        return !std::binary_search(flows.begin(), flows.end(), std::pair(e.worker, e.flow));
    });
}

void write_all(const Request& request, const std::string& text) {
    const bool standard = request.output.empty() || request.output == "-";
    FileDescriptor file(
        standard ? dup(STDOUT_FILENO)
                 : open(request.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    const std::string name = standard ? "standard output" : request.output;
    if (!file) throw Failure(name + ": " + std::strerror(errno));
    for (std::size_t at = 0; at < text.size();) {
        const ssize_t count = write(file.get(), text.data() + at, text.size() - at);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw Failure(name + ": " + std::strerror(errno));
        at += static_cast<std::size_t>(count);
    }
}

void run(const Request& request) {
    Trace trace = read_trace(request);
    if (!request.host.empty()) keep_host(trace.events, request.host);
    if (trace.events.empty())
        throw Failure(trace.skipped > 0
                          ? request.file + ": this is no trace (see --trace of nfqws2)"
                          : request.file + ": no packet of the trace fits");
    if (trace.too_long)
        std::fprintf(stderr, "nfqws2ctl: only the first %zu packets are drawn\n", max_events);
    const Words& language = words(request.language);
    const Ladders ladders = make_ladders(trace.events, language);
    const bool svg = request.svg || request.output.ends_with(".svg");
    write_all(request, svg ? draw_svg(ladders, language)
                           : draw_page(ladders, language, request.language, trace.skipped));
}

} // namespace

void add_ladder(CLI::App& app) {
    auto request = std::make_shared<Request>();
    CLI::App* word = app.add_subcommand("ladder", "Draws a trace: who sent what when");
    word->add_option("trace", request->file, "file of nfqws2 --trace, - for standard input")
        ->type_name("FILE");
    word->add_option("-o,--output", request->output,
                     "file to write; with .svg a picture, else a page")
        ->type_name("FILE");
    word->add_flag("--svg", request->svg, "a picture, also on standard output");
    word->add_option("--host", request->host, "only connections to this name and those below it")
        ->type_name("NAME");
    word->add_option("--flow", request->flow, "only the flow of this number")->type_name("N");
    word->add_option("--lang", request->language, "language")
        ->check(CLI::IsMember({"en", "ru"}))
        ->type_name("en|ru");
    word->callback([&app, request] {
        refuse_options(app, {"--socket", "--queue", "--json"});
        run(*request);
    });
}

} // namespace nfqws2::ctl
