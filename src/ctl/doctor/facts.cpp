#include "doctor/facts.hpp"

#include "failure.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <sstream>

namespace nfqws2::ctl {
namespace {

constexpr std::size_t longest_report = 4U << 20;
constexpr const char* queue_table = "/proc/net/netfilter/nfnetlink_queue";

std::vector<QueueOwner> read_owners(const std::string& text) {
    std::vector<QueueOwner> owners;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        // queue, port, waiting, mode, range, dropped at the queue, dropped at the socket, ...
        std::istringstream words(line);
        QueueOwner owner;
        std::uint64_t waiting = 0, mode = 0, range = 0, full = 0, socket_full = 0;
        if (words >> owner.queue >> owner.port >> waiting >> mode >> range >> full >> socket_full) {
            owner.dropped = full + socket_full;
            owners.push_back(owner);
        }
    }
    return owners;
}

std::vector<Process> read_processes(const Machine& machine) {
    std::vector<Process> processes;
    const std::string network = machine.target_of("/proc/self/ns/net");
    for (const std::string& name : machine.names_in("/proc")) {
        const auto pid = parse_uint(name);
        const std::string folder = "/proc/" + name;
        if (!pid) continue;
        // Root of a container, say, may not read those of all others.
        const std::string theirs = machine.target_of(folder + "/ns/net");
        if (!theirs.empty() && theirs != network) continue;
        processes.push_back({static_cast<std::int64_t>(*pid), machine.line(folder + "/comm"),
                             machine.target_of(folder + "/exe")});
    }
    return processes;
}

// /proc/net/route: device, destination, gateway, flags, ..., mask at the eighth place.
std::vector<DefaultRoute> read_routes(const Machine& machine) {
    std::vector<DefaultRoute> routes;
    std::istringstream lines(machine.read("/proc/net/route").value_or(""));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream stream(line);
        std::vector<std::string> words;
        for (std::string word; stream >> word;)
            words.push_back(word);
        if (words.size() < 8 || words[1] != "00000000" || words[7] != "00000000") continue;
        DefaultRoute route{words[0], 0};
        if (const auto mtu = parse_uint(machine.line("/sys/class/net/" + words[0] + "/mtu")))
            route.mtu = *mtu;
        routes.push_back(std::move(route));
    }
    return routes;
}

// Without the counters in front of the rules.
std::string plain(const std::string& listing) {
    std::istringstream lines(listing);
    std::string text;
    for (std::string line; std::getline(lines, line);) {
        if (const std::size_t end = line.find("] -A "); line.starts_with("[") && end < line.size())
            line.erase(0, end + 2);
        text += line + "\n";
    }
    return text;
}

// The listings in the form that --rules-now reads.
std::string list_rules(const Machine& machine, Facts& facts) {
    std::string all;
    const auto add = [&](const std::vector<std::string>& words, auto reader) {
        const Output output = machine.run(words);
        if (!output.good()) return;
        facts.rules_known = true;
        if (reader != nullptr) reader(output.text, facts.listing);
        all += plain(output.text);
    };
    add({"iptables-save", "-c"}, read_iptables_save);
    add({"ip6tables-save", "-c"}, read_iptables_save);
    const bool old_tables = !facts.listing.queues.empty();
    if (old_tables)
        add({"ipset", "save"}, static_cast<void (*)(std::string_view, Listing&)>(nullptr));
    // Rules that iptables has put there were read above, in its own words.
    const Output nft = machine.run({"nft", "list", "ruleset"});
    if (nft.good()) {
        facts.rules_known = true;
        Listing listing;
        read_nft_ruleset(nft.text, listing);
        facts.listing.offload = facts.listing.offload || listing.offload;
        facts.listing.clamps = facts.listing.clamps || listing.clamps;
        facts.listing.marks.insert(facts.listing.marks.end(), listing.marks.begin(),
                                   listing.marks.end());
        facts.listing.queues.insert(facts.listing.queues.end(), listing.queues.begin(),
                                    listing.queues.end());
        if (!listing.queues.empty()) all += nft.text;
    }
    if (const Output rule = machine.run({"ip", "rule", "show"}); rule.good())
        read_ip_rule(rule.text, facts.listing);
    return all;
}

void ask_daemon(Daemon& daemon, const Ask& ask) {
    try {
        for (const Json& line : ask(daemon.socket, {{"cmd", "status"}}))
            if (line.contains("status")) daemon.status = line["status"];
        for (const Json& line : ask(daemon.socket, {{"cmd", "counters"}})) {
            if (line.contains("total")) daemon.total = line["total"];
            if (line.contains("worker")) daemon.workers.push_back(line["worker"]);
            if (line.contains("profile")) daemon.profiles.push_back(line["profile"]);
        }
        for (const Json& line : ask(daemon.socket, {{"cmd", "lists"}}))
            if (line.contains("list")) daemon.lists.push_back(line["list"]);
    } catch (const Failure& e) {
        daemon.error = e.what();
    }
}

// The daemon's own program compares: it knows what its profiles need.
void check_rules(const Machine& machine, Daemon& daemon, const std::string& rules) {
    const std::string file = text_of(member(daemon.status, "config"));
    if (!daemon.answers() || file.empty()) return;
    std::vector<std::string> words = {"/proc/" + std::to_string(daemon.pid()) + "/exe", "@" + file,
                                      "--check=json", "--rules-now"};
    // As the service starts it: the queue stands beside the file too.
    const std::vector<unsigned> queues = daemon.queues();
    if (!queues.empty()) words.push_back("--qnum=" + std::to_string(queues[0]));
    const Output output = machine.run(words, rules);
    if (!output.ran) return;
    if (const auto report = parse_object(output.text, longest_report)) daemon.rules_check = *report;
}

} // namespace

std::int64_t Daemon::pid() const {
    return integer_of(member(status, "pid")).value_or(0);
}

std::vector<unsigned> Daemon::queues() const {
    std::vector<unsigned> found;
    for (const Json& queue : elements(member(status, "queues")))
        if (const auto number = integer_of(queue); number && *number >= 0 && *number <= 65535)
            found.push_back(static_cast<unsigned>(*number));
    return found;
}

std::int64_t Daemon::lost(unsigned queue) const {
    std::int64_t sum = 0;
    for (const Json& worker : workers)
        if (integer_of(member(worker, "queue")) == queue)
            sum += std::max<std::int64_t>(integer_of(member(worker, "queue_lost")).value_or(0), 0);
    return sum;
}

std::uint32_t Daemon::mark() const {
    constexpr std::uint32_t by_default = 0x40000000;
    const std::string all = options();
    for (const std::string_view name : {"--fwmark=", "--dpi-desync-fwmark="}) {
        const std::size_t at = all.rfind(name);
        if (at == std::string::npos) continue;
        std::string_view text = std::string_view(all).substr(at + name.size());
        const bool hex = text.starts_with("0x") || text.starts_with("0X");
        if (hex) text.remove_prefix(2);
        std::uint32_t value = 0;
        if (std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10).ec ==
            std::errc())
            return value;
    }
    return by_default;
}

std::string Daemon::where() const {
    const std::vector<unsigned> all = queues();
    return all.empty() ? socket : "queue " + std::to_string(all.front());
}

const QueueOwner* Facts::owner(unsigned queue) const {
    for (const QueueOwner& one : owners)
        if (one.queue == queue) return &one;
    return nullptr;
}

const Process* Facts::process(std::int64_t pid) const {
    for (const Process& one : processes)
        if (one.pid == pid) return &one;
    return nullptr;
}

Facts gather(const Machine& machine, const std::vector<std::string>& sockets, const Ask& ask) {
    Facts facts;
    facts.machine = &machine;
    facts.now = std::time(nullptr);
    auto queues = machine.read(queue_table);
    if (!queues) {
        machine.ask_for_queues();
        queues = machine.read(queue_table);
    }
    facts.kernel_queues = queues.has_value();
    facts.owners = read_owners(queues.value_or(""));
    facts.processes = read_processes(machine);
    facts.routes = read_routes(machine);
    const std::string rules = list_rules(machine, facts);
    for (const std::string& socket : sockets) {
        Daemon daemon;
        daemon.socket = socket;
        ask_daemon(daemon, ask);
        if (facts.rules_known) check_rules(machine, daemon, rules);
        facts.daemons.push_back(std::move(daemon));
    }
    return facts;
}

} // namespace nfqws2::ctl
