#include "nfqws2/base/machine_memory.hpp"

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>

namespace nfqws2 {

namespace {

constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

std::size_t address_space() {
    rlimit limit{};
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return unlimited;
    return static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_cur, unlimited));
}

// A number, or "max".
std::size_t read_limit(const std::string& path) {
    const ReadResult file = read_file(path);
    const std::string text(as_text(file.data));
    if (!file.ok() || text.empty() || text[0] < '0' || text[0] > '9') return unlimited;
    return static_cast<std::size_t>(
        std::min<unsigned long long>(std::strtoull(text.c_str(), nullptr, 10), unlimited));
}

// Those of the groups above hold too. In a container the group's own name may not be visible.
std::size_t group_limit(const std::string& root, std::string group, const char* file) {
    std::size_t limit = unlimited;
    while (true) {
        limit = std::min(limit, read_limit(root + group + file));
        if (group.empty()) return limit;
        group.resize(std::min(group.rfind('/'), group.size()));
    }
}

// A line is "NUMBER:CONTROLLERS:GROUP"; version 2 has the number 0 and names no controllers.
std::size_t control_groups() {
    const ReadResult file = read_file("/proc/self/cgroup");
    std::size_t limit = unlimited;
    for (const std::string_view line : split(as_text(file.data), '\n')) {
        const std::size_t first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string_view::npos || second == std::string_view::npos) continue;
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        std::string group(line.substr(second + 1));
        if (group == "/") group.clear();
        if (controllers.empty())
            limit = std::min(limit, group_limit("/sys/fs/cgroup", group, "/memory.max"));
        else if (controllers == "memory")
            limit = std::min(limit,
                             group_limit("/sys/fs/cgroup/memory", group, "/memory.limit_in_bytes"));
    }
    return limit;
}

} // namespace

std::size_t memory_of_pages(long pages, long page) {
    if (pages <= 0 || page <= 0) return unlimited;
    constexpr std::size_t most = unlimited - 1;
    const auto count = static_cast<std::size_t>(pages), bytes = static_cast<std::size_t>(page);
    return count > most / bytes ? most : count * bytes;
}

std::size_t machine_memory() {
    static const std::size_t memory =
        std::min({memory_of_pages(sysconf(_SC_PHYS_PAGES), sysconf(_SC_PAGESIZE)), address_space(),
                  control_groups()});
    return memory == unlimited ? 0 : memory;
}

} // namespace nfqws2
