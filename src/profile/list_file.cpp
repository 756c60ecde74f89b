#include "nfqws2/profile/list_file.hpp"

#include "host_entry.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/profile/list_reader.hpp"

#include <utility>

namespace nfqws2::profile {

namespace {

constexpr std::size_t max_warnings = 5; // per load

// The first mistakes in full, the rest as a number.
class Complaints {
  public:
    // `text` makes the message; there may be millions.
    template <typename Text> void add(const Text& text) {
        if (++count_ <= max_warnings) lines_.push_back(text());
    }
    void move_to(std::vector<std::string>& to, const std::string& path, bool utf16) {
        if (utf16)
            lines_ = {path + " is UTF-16 text, none of its entries matches: save it as UTF-8"};
        else if (count_ > max_warnings)
            lines_.push_back(std::to_string(count_ - max_warnings) + " more in " + path);
        for (std::string& line : lines_)
            to.push_back(std::move(line));
    }

  private:
    std::size_t count_ = 0;
    std::vector<std::string> lines_;
};

std::string place(const std::string& path, std::size_t line) {
    return " (" + path + " line " + std::to_string(line) + ")";
}

// Adds the entry in the form that is compared; why it never matches, "" if it may.
std::string add_entry(HostTableBuilder& builder, std::string_view token, std::string_view rest) {
    if (rest.empty() && is_ordinary_entry(token)) {
        builder.add(token);
        return {};
    }
    HostEntry entry = tidy_host_entry(token, rest);
    builder.add(entry.text);
    return std::move(entry.flaw);
}

std::string entry_text(std::string_view host, std::size_t offset, HostMatch match) {
    return (match == HostMatch::strict ? "^" : "") + std::string(host.substr(offset));
}

template <typename Find> std::string matching_host_entry(const HostName& host, const Find& find) {
    HostMatch last = HostMatch::none;
    const auto offset = match_host(host, [&](std::string_view part) { return last = find(part); });
    return offset ? entry_text(host.name(), *offset, last) : std::string();
}

std::string network_text(const std::optional<Network>& network) {
    if (!network) return {};
    return network->address.text() + "/" + std::to_string(network->prefix);
}

std::vector<std::string> network_texts(const NetTable& table, unsigned version) {
    std::vector<std::string> texts;
    table.each(version, [&](const Network& network) { texts.push_back(network_text(network)); });
    return texts;
}

void describe_result(LoadedList& list, const ListFileResult& file, const std::string& path,
                     const char* kind, const std::string& loaded) {
    list.ok = file.ok;
    list.opened = file.opened;
    list.error = file.error;
    list.status.push_back(std::string("Loading ") + kind + " " + path);
    if (!file.ok) return;
    list.status.push_back(file.gzip ? "zlib compression detected. uncompressed size : " +
                                          std::to_string(file.bytes)
                                    : "loading plain text list");
    list.status.push_back("Loaded " + loaded + " from " + path);
}

} // namespace

Signature make_signature(const struct stat& st) {
    return {st.st_mtim.tv_sec * std::int64_t{1'000'000'000} + st.st_mtim.tv_nsec,
            static_cast<std::uint64_t>(st.st_size), st.st_ino, st.st_dev, is_endless(st)};
}

std::optional<Signature> read_signature(const std::string& path) {
    struct stat st {};
    if (stat(path.c_str(), &st) < 0) return std::nullopt;
    return make_signature(st);
}

std::optional<Signature> read_signature(int fd) {
    struct stat st {};
    if (fstat(fd, &st) < 0) return std::nullopt;
    return make_signature(st);
}

LoadedList HostListFile::load(FileDescriptor opened) const {
    LoadedList list;
    HostTableBuilder builder;
    Complaints useless;
    const ListFileResult file = scan_list_file(
        path(),
        [&](std::string_view token, const ListLine& line) {
            const std::string flaw = add_entry(builder, token, line.rest);
            if (flaw.empty()) return;
            useless.add([&] {
                return "host list entry never matches : " + std::string(token) +
                       place(path(), line) + ": " + flaw;
            });
        },
        std::move(opened));
    if (file.ok) {
        list.hosts = builder.finish();
        useless.move_to(list.warnings, path(), file.utf16);
    }
    describe_result(list, file, path(), kind(), std::to_string(builder.accepted()) + " hosts");
    return list;
}

void HostListFile::install(LoadedList& loaded, std::uint64_t generation) {
    std::swap(table_, loaded.hosts);
    // Additions written before the load began are in what was read, unless somebody removed them.
    std::erase_if(added_, [&](const auto& item) {
        return item.second.written && item.second.generation < generation;
    });
    filled.store(has_entries(), std::memory_order_relaxed);
}

HostMatch HostListFile::find(std::string_view part, const HostName& host) const {
    const HostMatch match = table_.find(part, host);
    if (match == HostMatch::plain || added_.empty()) return match;
    return added_.find(part) != added_.end() ? HostMatch::plain : match;
}

bool HostListFile::contains(const HostName& host) const {
    return match_host(host, [&](std::string_view part) { return find(part, host); }).has_value();
}

std::string HostListFile::matching_entry(const HostName& host) const {
    return matching_host_entry(host, [&](std::string_view part) { return find(part, host); });
}

void HostListFile::add(std::string_view host) {
    const std::string name(without_root_dot(host));
    if (added_.try_emplace(name, Added{0, false}).second) ++unwritten_;
    filled.store(true, std::memory_order_relaxed);
}

std::string HostListFile::unwritten() const {
    std::string lines;
    for (const auto& [host, state] : added_)
        if (!state.written) lines += host + '\n';
    return lines;
}

void HostListFile::set_written() {
    for (auto& [host, state] : added_)
        if (!state.written) state = {generation_, true};
    ++generation_;
    unwritten_ = 0;
}

LoadedList NetListFile::load(FileDescriptor opened) const {
    LoadedList list;
    Complaints bad;
    std::size_t accepted = 0;
    const ListFileResult file = scan_list_file(
        path(),
        [&](std::string_view token, std::size_t line) {
            if (const auto network = parse_network(token)) {
                list.nets.add(*network);
                ++accepted;
            } else {
                bad.add([&] {
                    return "bad ip or subnet : " + std::string(token) + place(path(), line);
                });
            }
        },
        std::move(opened));
    list.nets.finish();
    bad.move_to(list.warnings, path(), file.utf16);
    describe_result(list, file, path(), kind(), std::to_string(accepted) + " ip/subnets");
    return list;
}

void NetListFile::install(LoadedList& loaded, std::uint64_t) {
    std::swap(table_, loaded.nets);
    filled.store(has_entries(), std::memory_order_relaxed);
}

std::string NetListFile::matching_entry(const IpAddress& address) const {
    return network_text(table_.find(address));
}

std::vector<std::string> NetListFile::networks(unsigned version) const {
    return network_texts(table_, version);
}

void FixedHostList::add(std::string_view items) {
    const std::size_t old = items_.size();
    items_ += items;
    items_ += ',';
    HostTableBuilder builder;
    const auto add = [&](std::string_view token, const ListLine& line) {
        const std::string flaw = add_entry(builder, token, line.rest);
        if (!flaw.empty())
            flaws_ += (flaws_.empty() ? "" : "; ") + std::string(token) + ": " + flaw;
    };
    scan_list_items(std::string_view(items_).substr(0, old), add);
    flaws_.clear(); // told already
    scan_list_items(std::string_view(items_).substr(old), add);
    table_ = builder.finish();
}

bool FixedHostList::contains(const HostName& host) const {
    return match_host(host, [&](std::string_view part) { return table_.find(part, host); })
        .has_value();
}

std::string FixedHostList::matching_entry(const HostName& host) const {
    return matching_host_entry(host,
                               [&](std::string_view part) { return table_.find(part, host); });
}

std::string FixedNetList::add(std::string_view items) {
    std::string bad;
    scan_list_items(items, [&](std::string_view token, std::size_t) {
        if (const auto network = parse_network(token))
            networks_.push_back(*network);
        else
            bad += (bad.empty() ? "" : ",") + std::string(token);
    });
    table_ = NetTable();
    for (const Network& network : networks_)
        table_.add(network);
    table_.finish();
    return bad;
}

std::string FixedNetList::matching_entry(const IpAddress& address) const {
    return network_text(table_.find(address));
}

std::vector<std::string> FixedNetList::networks(unsigned version) const {
    return network_texts(table_, version);
}

} // namespace nfqws2::profile
