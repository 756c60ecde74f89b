#include "learned_hosts.hpp"

#include "nfqws2/base/json.hpp"
#include "nfqws2/base/sort.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>

namespace nfqws2::app {
namespace {

constexpr std::size_t longest_part = 110; // zapret-learn.lua
constexpr double highest_strategy = 65535;
constexpr unsigned most_asked = 64; // strategies of a host or an instance

std::optional<double> number_of(const store::Fields& fields, std::string_view name) {
    for (const auto& [field, value] : fields)
        if (const auto* number = std::get_if<double>(&value); number != nullptr && field == name)
            return *number;
    return std::nullopt;
}

// Somebody may have edited it.
double within(std::optional<double> number, double most) {
    return number && *number >= 0 ? std::min(*number, most) : 0;
}

std::optional<unsigned> strategy_of(const store::Fields& fields, std::string_view name) {
    const auto number = number_of(fields, name);
    if (!number || !(*number >= 0 && *number <= highest_strategy)) return std::nullopt;
    return static_cast<unsigned>(*number);
}

TriedStrategy tried(unsigned number, const store::Fields& fields) {
    constexpr double most_count = 1e15, latest = 1e11;
    TriedStrategy one;
    one.number = number;
    one.ok = within(number_of(fields, "ok"), most_count);
    one.bad = within(number_of(fields, "bad"), most_count);
    one.last_ok = static_cast<std::uint64_t>(within(number_of(fields, "last_ok"), latest));
    one.last_bad = static_cast<std::uint64_t>(within(number_of(fields, "last_bad"), latest));
    return one;
}

void write_strategy(JsonWriter& json, std::string_view name, std::optional<unsigned> strategy) {
    json.key(name);
    strategy ? json.number(*strategy) : json.null();
}

void write_time(JsonWriter& json, std::string_view name, std::uint64_t time) {
    json.key(name);
    time != 0 ? json.number(time) : json.null();
}

// Older results count less, so it may be a fraction.
void write_count(JsonWriter& json, std::string_view name, double count) {
    json.key(name).raw(format("%.6g", count));
}

} // namespace

std::optional<RecordName> record_name(std::string_view key) {
    const std::size_t first = key.find('/');
    if (first == 0 || first == std::string_view::npos) return std::nullopt;
    RecordName name{key.substr(0, first), key.substr(first + 1), std::nullopt};
    const std::size_t second = name.host.find('/');
    if (second != std::string_view::npos) {
        const auto number = parse_uint(name.host.substr(second + 1), 65535);
        if (!number) return std::nullopt;
        name.strategy = static_cast<unsigned>(*number);
        name.host = name.host.substr(0, second);
    }
    return name.host.empty() ? std::nullopt : std::make_optional(name);
}

std::vector<LearnedHost> learned_hosts(const std::vector<store::RecordPointer>& records) {
    std::map<std::pair<std::string_view, std::string_view>, LearnedHost> hosts;
    for (const store::RecordPointer& record : records) {
        const auto name = record_name(record->key);
        if (!name) continue;
        const store::Fields fields = store::unpack_fields(record->fields);
        LearnedHost& host = hosts[{name->key, name->host}];
        if (name->strategy) {
            host.strategies.push_back(tried(*name->strategy, fields));
        } else {
            host.current = strategy_of(fields, "cur");
            host.pin = strategy_of(fields, "pin");
        }
    }
    std::vector<LearnedHost> list;
    list.reserve(hosts.size());
    for (auto& [name, host] : hosts) {
        host.key = name.first;
        host.host = name.second;
        sort_stably(host.strategies,
                    [](const auto& a, const auto& b) { return a.number < b.number; });
        list.push_back(std::move(host));
    }
    return list;
}

std::string key_part(std::string_view text) {
    std::string part(text.substr(text.size() - std::min(text.size(), longest_part)));
    for (char& c : part)
        if (c == '/' || c == '*' || c == ' ' || static_cast<unsigned char>(c) < ' ' || c == '\x7F')
            c = '_';
    return part;
}

std::string host_part(std::string_view host) {
    if (host.ends_with('.')) host.remove_suffix(1);
    return key_part(host);
}

void write_strategies(JsonWriter& json, const std::vector<TriedStrategy>& strategies) {
    json.open_array();
    for (const TriedStrategy& one : strategies) {
        json.open_object();
        json.key("n").number(one.number);
        write_count(json, "ok", one.ok);
        write_count(json, "bad", one.bad);
        write_time(json, "last_ok_at", one.last_ok);
        write_time(json, "last_bad_at", one.last_bad);
        json.close_object();
    }
    json.close_array();
}

void write_results(JsonWriter& json, const LearnResults& results) {
    json.open_object();
    write_strategy(json, "strategy", results.current);
    write_count(json, "ok", results.ok);
    write_count(json, "bad", results.bad);
    json.close_object();
}

Learnings::Learnings(const store::Stores* stores, const profile::Generation& profiles)
    : stores_(stores) {
    if (stores_ == nullptr) return;
    const auto store = stores_->find_store(store_of_learn);
    if (!store) return;
    store_ = *store;
    for (const auto& profile : profiles.profiles)
        add_keys(*profile);
}

void Learnings::add_keys(const profile::Profile& profile) {
    for (const profile::LuaInstance& instance : profile.instances) {
        if (instance.func != "learn") continue;
        const std::string* given = instance.argument("key");
        Key key{key_part(given != nullptr && !given->empty() ? *given : instance.name), 0};
        for (const profile::LuaInstance& behind : profile.instances) {
            const std::string* number = behind.argument("strategy");
            const auto n = number != nullptr ? parse_uint(*number, most_asked) : std::nullopt;
            if (n && behind.func_n > instance.func_n)
                key.strategies = std::max(key.strategies, static_cast<unsigned>(*n));
        }
        if (std::find(keys_.begin(), keys_.end(), key) == keys_.end()) keys_.push_back(key);
        by_instance_.emplace(&instance, std::move(key));
    }
}

unsigned Learnings::last_strategy(std::string_view key) const {
    unsigned last = 0;
    for (const Key& one : keys_)
        if (one.name == key) last = std::max(last, one.strategies);
    return last;
}

std::vector<TriedStrategy> Learnings::tried_with(const Key& key, std::string_view host) const {
    std::vector<TriedStrategy> all;
    const std::string name = key.name + '/' + std::string(host) + '/';
    for (unsigned n = 0; n <= key.strategies; n++)
        if (const auto fields = stores_->get(store_, name + std::to_string(n)))
            all.push_back(tried(n, *fields));
    return all;
}

std::optional<LearnResults> Learnings::of_host(std::string_view host) const {
    std::optional<LearnResults> results;
    const std::string part = host_part(host);
    for (const Key& key : keys_) {
        const auto own = stores_->get(store_, key.name + '/' + part);
        if (!own) continue;
        if (!results) results.emplace();
        if (!results->current) results->current = strategy_of(*own, "cur");
        for (const TriedStrategy& one : tried_with(key, part)) {
            results->ok += one.ok;
            results->bad += one.bad;
        }
    }
    return results;
}

std::optional<std::vector<TriedStrategy>>
Learnings::sums(const profile::LuaInstance& instance) const {
    const auto found = by_instance_.find(&instance);
    if (found == by_instance_.end()) return std::nullopt;
    return tried_with(found->second, "*");
}

std::string learned_line(const LearnedHost& host) {
    std::string out;
    JsonWriter json(out);
    json.open_object();
    json.key("learn").open_object();
    json.key("key").text(host.key);
    json.key("host").text(host.host);
    write_strategy(json, "strategy", host.current);
    write_strategy(json, "pin", host.pin);
    write_strategies(json.key("strategies"), host.strategies);
    json.close_object();
    json.close_object();
    return out + '\n';
}

} // namespace nfqws2::app
