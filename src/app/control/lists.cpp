// "lists": the state of each list file, and reading them again; "find": who has an entry.
#include "commands.hpp"

#include "explain/explain_output.hpp"
#include "explain/explain_query.hpp"
#include "nfqws2/base/json.hpp"
#include "nfqws2/rules/lookup.hpp"
#include "options/values.hpp"

#include <algorithm>

namespace nfqws2::app {
namespace {

using control::Answer;

constexpr std::size_t lists_per_piece = 32, shown_warnings = 20;
constexpr int look_again_ms = 20; // whether a reload is done

template <typename Collection>
void write_use(JsonWriter& json, const profile::Profile& profile, const Collection& collection,
               std::string_view label_of_list, bool exclude) {
    for (const auto& list : collection.lists()) {
        if (label(*list) != label_of_list) continue;
        json.open_object();
        json.key("profile").number(profile.number);
        json.key("exclude").boolean(exclude);
        json.close_object();
    }
}

void write_uses(JsonWriter& json, const profile::ProfileSet& profiles, std::string_view file,
                bool hosts) {
    json.key("uses").open_array();
    for (const auto& profile : profiles.all()) {
        if (hosts) {
            write_use(json, *profile, profile->hosts, file, false);
            write_use(json, *profile, profile->hosts_exclude, file, true);
        } else {
            write_use(json, *profile, profile->nets, file, false);
            write_use(json, *profile, profile->nets_exclude, file, true);
        }
    }
    json.close_array();
}

void write_list(std::string& out, const profile::ListState& list,
                const profile::ProfileSet& profiles) {
    JsonWriter json(out);
    json.open_object();
    json.key("list").open_object();
    json.key("file").text(list.file);
    json.key("kind").text(list.hosts ? "hosts" : "nets");
    json.key("automatic").boolean(list.automatic);
    json.key("entries").number(list.entries);
    json.key("size").number(list.size);
    json.key("modified_at");
    if (list.loaded)
        json.number(static_cast<std::uint64_t>(std::max<std::int64_t>(list.modified_ns, 0)) /
                    1'000'000'000);
    else
        json.null();
    json.key("loaded").boolean(list.loaded);
    json.key("loading").boolean(list.loading);
    json.key("error").text_or_null(list.failure);
    json.key("warnings").open_array();
    for (std::size_t i = 0; i < std::min(list.warnings.size(), shown_warnings); i++)
        json.text(list.warnings[i]);
    json.close_array();
    json.key("memory").number(list.memory);
    write_uses(json, profiles, list.file, list.hosts);
    json.close_object();
    json.close_object();
    out += '\n';
}

class ListsAnswer final : public Answer {
  public:
    ListsAnswer(const Subject& subject, bool reload) : subject_(subject), loading_(reload) {
        if (reload) subject_.lists.request_reload();
    }

    Next write(std::string& out) override {
        if (loading_) {
            subject_.lists.poll(); // takes over what is ready; there may be no packets to do it
            loading_ = subject_.lists.loading();
            if (loading_) return Next::later;
        }
        if (!taken_) states_ = subject_.lists.states();
        taken_ = true;
        const std::size_t stop = std::min(written_ + lists_per_piece, states_.size());
        for (; written_ < stop; written_++)
            write_list(out, states_[written_], subject_.workers.shared().profiles);
        if (written_ < states_.size()) return Next::more;
        out += end_line(written_);
        return Next::end;
    }
    int wait_ms() const override { return loading_ ? look_again_ms : -1; }

  private:
    const Subject& subject_;
    bool loading_, taken_ = false;
    std::vector<profile::ListState> states_;
    std::size_t written_ = 0;
};

// --- find

struct Wanted {
    std::optional<std::string> host;
    std::optional<IpAddress> address;
};

std::string entry_of(const profile::HostList& list, const Wanted& wanted) {
    return wanted.host ? list.matching_entry({*wanted.host, false}) : "";
}
std::string entry_of(const profile::NetList& list, const Wanted& wanted) {
    return wanted.address ? list.matching_entry(*wanted.address) : "";
}

// One line for each list that has it.
class Matches {
  public:
    Matches(const Wanted& wanted, std::string* out, const profile::ProfileSet& profiles)
        : wanted_(wanted), out_(out), profiles_(profiles) {}

    template <typename Collection> void look(const Collection& collection, bool hosts) {
        for (const auto& list : collection.lists()) {
            const void* const key = list.get();
            if (std::find(seen_.begin(), seen_.end(), key) != seen_.end()) continue;
            seen_.push_back(key);
            const std::string entry = entry_of(*list, wanted_);
            if (!entry.empty()) write(label(*list), hosts, entry);
        }
    }
    std::uint64_t count() const { return count_; }

  private:
    void write(std::string_view file, bool hosts, const std::string& entry) {
        count_++;
        JsonWriter json(*out_);
        json.open_object();
        json.key("match").open_object();
        json.key("file").text(file);
        json.key("kind").text(hosts ? "hosts" : "nets");
        json.key("entry").text(entry);
        write_uses(json, profiles_, file, hosts);
        json.close_object();
        json.close_object();
        *out_ += '\n';
    }

    const Wanted& wanted_;
    std::string* out_;
    const profile::ProfileSet& profiles_;
    std::vector<const void*> seen_;
    std::uint64_t count_ = 0;
};

// What traffic rules know of the address. Returns how many of their sets have it.
std::uint64_t write_traffic_rules(std::string& out, const rules::InForce& rules,
                                  const IpAddress& address) {
    const std::vector<rules::SetWithAddress> sets = rules::sets_with(rules, address);
    for (const rules::SetWithAddress& set : sets) {
        JsonWriter json(out);
        json.open_object();
        json.key("set").open_object();
        json.key("name").text(set.name);
        json.key("file").text_or_null(set.file);
        json.key("profile").text_or_null(set.profile);
        json.key("value");
        set.value ? json.number(*set.value) : json.null();
        json.key("rules").open_array();
        for (const std::string& rule : set.rules)
            json.text(rule);
        json.close_array();
        json.key("more").boolean(set.more_rules);
        json.close_object();
        json.close_object();
        out += '\n';
    }
    const rules::GeoPlace place = rules::place_of(rules, address);
    if (place == rules::GeoPlace()) return sets.size();
    JsonWriter json(out);
    json.open_object();
    json.key("place").open_object();
    json.key("country").text_or_null(place.country.text());
    json.key("continent").text_or_null(place.continent.text());
    json.close_object();
    json.close_object();
    out += '\n';
    return sets.size();
}

// A packet for --explain; throws BadValue.
ExplainQuery query_for(const control::Request& request, const Wanted& wanted) {
    constexpr std::int64_t https = 443, http = 80;
    const std::string* proto = request.text("proto");
    const std::int64_t* given_port = request.number("port");
    const std::int64_t port = given_port != nullptr ? *given_port : https;
    const std::string address = wanted.address ? wanted.address->text() : "192.0.2.1";
    std::string text = (proto != nullptr ? *proto : "tcp") + ":";
    text += address.find(':') != std::string::npos ? "[" + address + "]" : address;
    text += ":" + std::to_string(port);
    if (wanted.host) text += ",host=" + *wanted.host;
    if (const std::string* l7 = request.text("l7"))
        text += ",l7=" + *l7;
    else if (wanted.host && (port == https || port == http))
        text += port == https ? ",l7=tls" : ",l7=http";
    return parse_explain(text);
}

std::string explain_line(const ExplainQuery& query, const profile::ProfileSet& profiles) {
    std::vector<Explanation> one;
    one.push_back(explain(query, profiles));
    const std::string array = to_json(one);
    const std::size_t begin = array.find('{'), end = array.rfind('}');
    if (begin == std::string::npos) return {};
    return "{\"explain\":" + array.substr(begin, end + 1 - begin) + "}\n";
}

std::unique_ptr<Answer> find(const Subject& subject, const control::Request& request,
                             control::Refusal* refusal) {
    refusal->code = "bad-field";
    Wanted wanted;
    if (const std::string* host = request.text("host")) {
        wanted.host = *host;
        refusal->text = "'host' is no host name";
        if (!profile::is_safe_entry(*host)) return nullptr;
    }
    if (const std::string* address = request.text("address")) {
        wanted.address = IpAddress::parse(*address);
        refusal->text = "'address' is no address";
        if (!wanted.address) return nullptr;
    }
    refusal->text = "'host' or 'address' is needed";
    if (!wanted.host && !wanted.address) return nullptr;

    const profile::ProfileSet& profiles = subject.workers.shared().profiles;
    const auto still = subject.lists.hold_still();
    std::string out;
    Matches matches(wanted, &out, profiles);
    for (const auto& profile : profiles.all()) {
        matches.look(profile->hosts, true);
        matches.look(profile->hosts_exclude, true);
        matches.look(profile->nets, false);
        matches.look(profile->nets_exclude, false);
    }
    std::uint64_t sets = 0;
    if (const auto& rules = subject.workers.shared().rules; rules && wanted.address)
        sets = write_traffic_rules(out, *rules->newest(), *wanted.address);
    try {
        out += explain_line(query_for(request, wanted), profiles);
    } catch (const BadValue& e) {
        refusal->text = e.what();
        return nullptr;
    }
    out += end_line(matches.count() + sets);
    return std::make_unique<control::ReadyAnswer>(std::move(out));
}

} // namespace

control::Command lists_command(const Subject& subject) {
    return {"lists",
            control::Access::read,
            {{"reload", control::Kind::flag}},
            [&subject](const control::Request& request,
                       control::Refusal* refusal) -> std::unique_ptr<Answer> {
                const bool reload = request.flag("reload");
                *refusal = {"forbidden", "'reload' is not for this user"};
                if (reload && request.access < control::Access::all) return nullptr;
                return std::make_unique<ListsAnswer>(subject, reload);
            }};
}

control::Command find_command(const Subject& subject) {
    using control::Kind;
    return {"find",
            control::Access::read,
            {{"host", Kind::text},
             {"address", Kind::text},
             {"proto", Kind::text},
             {"port", Kind::number, 0, 65535},
             {"l7", Kind::text}},
            [&subject](const control::Request& request, control::Refusal* refusal) {
                return find(subject, request, refusal);
            }};
}

} // namespace nfqws2::app
