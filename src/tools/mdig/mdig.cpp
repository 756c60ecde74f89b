#include "mdig/mdig.hpp"

#include "command.hpp"
#include "line_reader.hpp"
#include "mdig/dns_message.hpp"
#include "mdig/mdig_ares.hpp"
#include "mdig/mdig_loop.hpp"
#include "mdig/mdig_output.hpp"
#include "mdig/mdig_pool.hpp"
#include "mdig/mdig_resolver.hpp"
#include "output_buffer.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <unistd.h>
#include <vector>

namespace nfqws2::tools {

namespace {

int fail(const MdigStreams& streams, int code, const std::string& text) {
    dprintf(streams.err, "%s\n", text.c_str());
    return code;
}

// At most one DNS message; empty if nothing could be read.
std::vector<std::uint8_t> read_message(int fd) {
    std::vector<std::uint8_t> message(max_dns_message);
    std::size_t used = 0;
    while (used < message.size()) {
        const ssize_t n = read(fd, message.data() + used, message.size() - used);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return {};
        if (n == 0) break;
        used += static_cast<std::size_t>(n);
    }
    message.resize(used);
    return message;
}

// What is around the resolving, which `resolve` does: it returns an exit code, of which 0 goes on.
template <typename Work>
int with_streams(const MdigOptions& options, const MdigStreams& streams, const Work& resolve) {
    MdigOutput output(options, streams);
    if (const std::string name = output.open_logs(); !name.empty())
        return fail(streams, exit_cannot_create, "failed to create " + name);
    LineReader input(streams.in);
    const int resolved = resolve(input, output);
    if (resolved == exit_no_threads) return resolved;
    const int code = output.finish();
    if (resolved != exit_done) return fail(streams, resolved, "out of memory");
    if (input.error() != 0)
        return fail(streams, exit_io,
                    std::string("could not read stdin : ") + std::strerror(input.error()));
    return code;
}

} // namespace

int run_mdig(const MdigOptions& options, Resolver& resolver, const MdigStreams& streams) {
    return with_streams(options, streams, [&](LineReader& input, MdigOutput& output) -> int {
        ResolverPool pool(options, resolver, input, output);
        if (pool.run() == 0) return exit_no_threads;
        return pool.out_of_memory() ? exit_bad_reply : exit_done;
    });
}

int run_mdig(const MdigOptions& options, AsyncResolver& resolver, const MdigStreams& streams) {
    return with_streams(options, streams, [&](LineReader& input, MdigOutput& output) -> int {
        try {
            ResolverLoop(options, resolver, input, streams.in, output).run();
            return exit_done;
        } catch (const std::bad_alloc&) {
            return exit_bad_reply;
        }
    });
}

int run_make_query(const MdigOptions& options, const MdigStreams& streams) {
    const bool only_v6 = options.families.v6 && !options.families.v4;
    const auto query = make_dns_query(options.make_query, only_v6 ? DnsType::aaaa : DnsType::a);
    if (!query) return fail(streams, exit_usage, "could not make DNS query");
    OutputBuffer out(streams.out);
    out.append(as_text(*query));
    if (!out.flush()) return fail(streams, exit_io, "could not write DNS query blob to stdout");
    return exit_done;
}

int run_parse_reply(const MdigStreams& streams) {
    const std::vector<std::uint8_t> message = read_message(streams.in);
    if (message.empty()) return fail(streams, exit_io, "could not read DNS reply blob from stdin");
    OutputBuffer out(streams.out);
    const bool complete = parse_dns_reply(message, [&](const IpAddress& address) {
        out.append(address.text());
        out.append("\n");
    });
    if (!out.flush()) return fail(streams, exit_io, "could not write to stdout");
    if (!complete) return fail(streams, exit_bad_reply, "could not parse DNS reply blob");
    return exit_done;
}

int mdig_main(int argc, char** argv) {
    const MdigStreams streams{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    MdigOptions options;
    try {
        if (const auto code = parse_mdig_options(argc, argv, streams, options)) return *code;
        if (!options.make_query.empty()) return run_make_query(options, streams);
        if (const auto resolver = make_ares_resolver())
            return run_mdig(options, *resolver, streams);
        SystemResolver resolver;
        return run_mdig(options, resolver, streams);
    } catch (const std::bad_alloc&) {
        return fail(streams, exit_bad_reply, "out of memory");
    }
}

} // namespace nfqws2::tools
