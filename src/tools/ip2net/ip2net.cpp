#include "ip2net/ip2net.hpp"

#include "command.hpp"
#include "ip2net/ip2net_input.hpp"
#include "ip2net/net_sort.hpp"
#include "ip2net/net_text.hpp"
#include "line_reader.hpp"
#include "output_buffer.hpp"

#include <cstdio>
#include <cstring>
#include <new>
#include <unistd.h>
#include <vector>

namespace nfqws2::tools {

namespace {

constexpr std::size_t max_output_line = 64;

struct Counts {
    std::size_t lines = 0;
    std::size_t dropped = 0;
    std::size_t printed = 0;
    std::size_t addresses = 0;
    std::size_t networks = 0;
    std::size_t singles = 0;
};

LineUse take_line(std::string_view line, std::vector<Ipv4Key>& keys, OutputBuffer& out) {
    char* const text = out.reserve(max_output_line);
    unsigned size = 0;
    Ipv4Key key;
    const LineUse use = read_ipv4_line(line, key, text, size);
    if (use == LineUse::collected) keys.push_back(key);
    if (use == LineUse::printed) {
        text[size] = '\n';
        out.advance(size + 1);
    }
    return use;
}

LineUse take_line(std::string_view line, std::vector<Ipv6Key>& keys, OutputBuffer& out) {
    const Ipv6Line read = read_ipv6_line(line);
    if (read.use == LineUse::collected) keys.push_back(read.key);
    if (read.use == LineUse::printed) {
        out.append(read.printed);
        char* const text = out.reserve(max_output_line);
        char* end = text;
        if (read.has_mask) {
            *end++ = '/';
            end = write_number(end, read.mask);
        }
        *end++ = '\n';
        out.advance(static_cast<std::size_t>(end - text));
    }
    return read.use;
}

char* write_key(char* out, Ipv4Key key) {
    return write_ipv4(out, key);
}
char* write_key(char* out, const Ipv6Key& key) {
    return write_ipv6(out, key);
}

template <class Rule>
void group(const std::vector<typename Rule::Key>& keys, const Rule& rule, PrefixRange range,
           OutputBuffer& out, Counts& counts) {
    using Key = typename Rule::Key;
    NetGrouper<Rule> grouper(keys, rule, range);
    grouper.run([&](const Key& key, unsigned prefix) {
        char* const text = out.reserve(max_output_line);
        char* end = write_key(text, key);
        if (prefix != Key::width) {
            *end++ = '/';
            end = write_number(end, prefix);
        }
        *end++ = '\n';
        out.advance(static_cast<std::size_t>(end - text));
        (prefix != Key::width ? counts.networks : counts.singles)++;
    });
}

int report_failure(const char* what, int errno_value) {
    std::fprintf(stderr, "ip2net: %s: %s\n", what, std::strerror(errno_value));
    return exit_io;
}

template <class Rule> int run(const Ip2netOptions& options, const Rule& rule, int in, int out_fd) {
    LineReader reader(in);
    OutputBuffer out(out_fd);
    std::vector<typename Rule::Key> keys;
    Counts counts;
    Line line;
    while (reader.next(line)) {
        counts.lines++;
        const LineUse use = line.too_long ? LineUse::dropped : take_line(line.text, keys, out);
        if (use == LineUse::dropped) counts.dropped++;
        if (use == LineUse::printed) counts.printed++;
    }
    if (reader.error() != 0) return report_failure("could not read stdin", reader.error());

    sort_unique(keys);
    counts.addresses = keys.size();
    group(keys, rule, options.prefix, out, counts);
    if (!out.flush()) return report_failure("could not write to stdout", out.error());
    if (options.verbose)
        std::fprintf(stderr,
                     "ip2net: lines=%zu dropped=%zu printed=%zu addresses=%zu networks=%zu "
                     "singles=%zu\n",
                     counts.lines, counts.dropped, counts.printed, counts.addresses,
                     counts.networks, counts.singles);
    return exit_done;
}

} // namespace

int run_ip2net(const Ip2netOptions& options, int input_fd, int output_fd) {
    if (options.ipv6) return run(options, options.count, input_fd, output_fd);
    return run(options, options.fill, input_fd, output_fd);
}

int ip2net_main(int argc, char** argv) {
    Ip2netOptions options;
    try {
        if (const auto code = parse_ip2net_options(argc, argv, options)) return *code;
        return run_ip2net(options, STDIN_FILENO, STDOUT_FILENO);
    } catch (const std::bad_alloc&) {
        std::fputs("out of memory\n", stderr);
        return exit_out_of_memory;
    }
}

} // namespace nfqws2::tools
