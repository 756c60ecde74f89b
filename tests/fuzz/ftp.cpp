// Lines of FTP control connections, in segments of the size that the first byte says.
#include "flow/ct_ftp.hpp"

#include <algorithm>
#include <cstdlib>

using namespace nfqws2;
using namespace nfqws2::flow::detail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t step = raw[0] % 64 + 1;
    const Bytes text(raw + 1, size - 1);
    FtpLines lines;
    for (std::size_t at = 0; at < text.size(); at += step) {
        const Bytes part = text.subspan(at, std::min(step, text.size() - at));
        lines.feed(static_cast<std::uint32_t>(at), part, [](std::string_view line) {
            if (line.size() > FtpLines::max_line) std::abort();
            for (const bool by_server : {false, true})
                if (const auto found = read_ftp_line(line, by_server); found && found->port == 0)
                    std::abort();
        });
    }
    return 0;
}
