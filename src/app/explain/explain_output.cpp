#include "explain/explain_output.hpp"

#include "nfqws2/base/json.hpp"
#include "nfqws2/base/text.hpp"

namespace nfqws2::app {
namespace {

using profile::LuaInstance;
using profile::Profile;

// Why an instance is not called for the packet; "" if it is, within its range.
const char* reason_against(const LuaInstance& instance, const ExplainQuery& q,
                           const SearchFacts& search) {
    if (search.instances_blocked()) return "host list";
    const flow::Range& range = instance.range(q.outgoing);
    if (range.from.mode == 'x' || range.to.mode == 'x') return "range";
    if (q.payload && !instance.payload.matches(*q.payload)) return "payload";
    return "";
}

std::string joined(const std::vector<std::string>& items) {
    std::string text;
    for (const std::string& item : items)
        text += (text.empty() ? "" : ", ") + item;
    return text;
}

// As it may be given on the command line.
std::string range_text(const flow::Range& range) {
    if (range.from.mode == 'x' || range.to.mode == 'x') return "x";
    if (range == flow::Range::always()) return "a";
    return flow::to_text(range);
}

// "l7=tls and host=www.example.com are known"
std::string known_text(const ExplainQuery& q) {
    std::string text;
    if (q.l7 != protocol::L7::unknown) text = "l7=" + std::string(protocol::name(q.l7));
    if (q.host) text += (text.empty() ? "host=" : " and host=") + *q.host;
    return text + (q.host && q.l7 != protocol::L7::unknown ? " are known" : " is known");
}

std::string arguments_text(const LuaInstance& instance) {
    std::string text = instance.func;
    for (const auto& [name, value] : instance.args)
        text += ":" + name + (value.empty() ? "" : "=" + value);
    return text;
}

// --- text

std::string refusal_text(const ProfileFacts& facts, const SearchFacts& search,
                         const ExplainQuery& q) {
    std::string text = "refused by --" + facts.refused_by;
    if (!facts.list.empty()) return text + ": entry '" + facts.entry + "' of " + facts.list;
    const bool by_host = facts.refused_by.starts_with("hostlist");
    if (by_host && !(search.informed && q.host)) return text + ": the host name is not known";
    for (const profile::FilterRow& row : profile::filter_rows)
        if (row.unstated != nullptr && facts.refused_by == row.option && !q.states(row.option))
            return text + ": " + row.unstated + " is not stated (" + row.key + "=)";
    if (!facts.consulted.empty()) text += ": in none of " + joined(facts.consulted);
    return text;
}

std::string list_text(const ListFacts& facts, const char* option) {
    if (facts.list.empty()) return "";
    return std::string("    matched --") + option + ": entry '" + facts.entry + "' of " +
           facts.list + "\n";
}

std::string auto_list_text(const Profile& p, const ListFacts& hosts) {
    if (!p.auto_hosts) return "";
    const std::string file(label(*p.auto_hosts));
    std::string text = "    automatic host list " + file + ": ";
    if (!hosts.checked) return text + "the host name is not known\n";
    if (hosts.excluded)
        text += "the host is excluded by entry '" + hosts.entry + "' of " + hosts.list +
                " and never added";
    else if (hosts.positive)
        text += "the host is in it or in another list, failures are not counted";
    else
        text += nfqws2::format("the host is not in it; it is added after %u failures within %u s",
                               p.auto_options.fail_threshold, p.auto_options.fail_time);
    return text + "\n";
}

std::string instance_text(const LuaInstance& instance, const ExplainQuery& q,
                          const SearchFacts& search) {
    const std::string_view against = reason_against(instance, q, search);
    std::string text = "    instance " + instance.name + " (" + arguments_text(instance) + "), ";
    text += (q.outgoing ? "out" : "in") + std::string("-range ") +
            range_text(instance.range(q.outgoing)) + ", payload " +
            protocol::to_text(instance.payload);
    if (against.empty()) return text + ": called\n";
    return text + ": not called (" + std::string(against) + ")\n";
}

std::string search_text(const SearchFacts& search, const ExplainQuery& q) {
    std::string text;
    for (const ProfileFacts& facts : search.profiles) {
        text += "  profile " + facts.profile->label() + ": ";
        text += facts.refused_by.empty() ? "wins" : refusal_text(facts, search, q);
        text += "\n";
    }
    const Profile& winner = search.winner();
    text += list_text(search.networks, "ipset");
    if (search.hosts.positive) text += list_text(search.hosts, "hostlist");
    text += auto_list_text(winner, search.hosts);
    for (const LuaInstance& instance : winner.instances)
        text += instance_text(instance, q, search);
    if (winner.instances.empty()) text += "    nothing is called, the packet passes\n";
    return text;
}

// --- JSON

void write_list(JsonWriter& json, const char* key, const ListFacts& facts) {
    json.key(key);
    if (!facts.checked) return json.null();
    json.open_object();
    json.key("positive").boolean(facts.positive);
    json.key("excluded").boolean(facts.excluded);
    json.key("list").text_or_null(facts.list);
    json.key("entry").text_or_null(facts.entry);
    json.close_object();
}

void write_profile(JsonWriter& json, const ProfileFacts& facts) {
    json.open_object();
    json.key("n").number(facts.profile->number);
    json.key("name").text_or_null(facts.profile->profile_name);
    json.key("refused_by").text_or_null(facts.refused_by);
    if (!facts.list.empty()) {
        json.key("list").text(facts.list);
        json.key("entry").text(facts.entry);
    }
    if (!facts.consulted.empty()) {
        json.key("not_in").open_array();
        for (const std::string& list : facts.consulted)
            json.text(list);
        json.close_array();
    }
    json.close_object();
}

void write_instance(JsonWriter& json, const LuaInstance& instance, const ExplainQuery& q,
                    const SearchFacts& search) {
    const std::string_view against = reason_against(instance, q, search);
    json.open_object();
    json.key("func").text(instance.name);
    json.key("call").text(arguments_text(instance));
    json.key("range").text(range_text(instance.range(q.outgoing)));
    json.key("payload").text(protocol::to_text(instance.payload));
    json.key("called").boolean(against.empty());
    if (!against.empty()) json.key("why").text(against);
    json.close_object();
}

void write_auto_list(JsonWriter& json, const Profile& p, const ListFacts& hosts) {
    json.key("auto");
    if (!p.auto_hosts) return json.null();
    json.open_object();
    json.key("list").text(label(*p.auto_hosts));
    json.key("state").text(!hosts.checked   ? "unknown"
                           : hosts.excluded ? "excluded"
                           : hosts.positive ? "included"
                                            : "watched");
    json.key("fail_threshold").number(p.auto_options.fail_threshold);
    json.key("fail_time").number(p.auto_options.fail_time);
    json.close_object();
}

void write_search(JsonWriter& json, const SearchFacts& search, const ExplainQuery& q) {
    json.open_object();
    json.key("informed").boolean(search.informed);
    json.key("profiles").open_array();
    for (const ProfileFacts& facts : search.profiles)
        write_profile(json, facts);
    json.close_array();
    json.key("winner").number(search.winner().number);
    write_list(json, "ipset", search.networks);
    write_list(json, "hostlist", search.hosts);
    write_auto_list(json, search.winner(), search.hosts);
    json.key("instances").open_array();
    for (const LuaInstance& instance : search.winner().instances)
        write_instance(json, instance, q, search);
    json.close_array();
    json.close_object();
}

std::string depends_text(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text;
}

std::string rules_text(const std::vector<rules::ProfilePreview>& profiles) {
    if (profiles.empty()) return "traffic rules: no profile of them is chosen\n";
    std::string text;
    for (const rules::ProfilePreview& profile : profiles) {
        text += "traffic rules, profile '" + profile.name + "'" +
                (profile.observe ? " (observes)" : "");
        if (!profile.depends.empty()) text += ", depends on " + depends_text(profile.depends);
        text += ":\n";
        for (const rules::RulePreview& rule : profile.rules)
            text +=
                "    rule '" + rule.name + "' " +
                (rule.depends.empty() ? "matches" : "depends on " + depends_text(rule.depends)) +
                (rule.end.empty() ? "" : ": " + rule.end) + "\n";
        if (profile.rules.empty()) text += "    no rule can match\n";
    }
    return text;
}

void write_words(JsonWriter& json, const std::vector<std::string>& words) {
    json.key("depends").open_array();
    for (const std::string& word : words)
        json.text(word);
    json.close_array();
}

void write_rules(JsonWriter& json, const std::vector<rules::ProfilePreview>& profiles) {
    json.key("rules").open_array();
    for (const rules::ProfilePreview& profile : profiles) {
        json.open_object();
        json.key("profile").text(profile.name);
        json.key("observe").boolean(profile.observe);
        write_words(json, profile.depends);
        json.key("rules").open_array();
        for (const rules::RulePreview& rule : profile.rules) {
            json.open_object();
            json.key("name").text(rule.name);
            json.key("chain").text(rule.chain);
            write_words(json, rule.depends);
            json.key("end").text_or_null(rule.end);
            json.close_object();
        }
        json.close_array();
        json.close_object();
    }
    json.close_array();
}

} // namespace

std::string to_text(const Explanation& explanation) {
    const ExplainQuery& q = explanation.query;
    std::string text = q.text + "\n";
    if (explanation.rules) text += rules_text(*explanation.rules);
    for (const SearchFacts& search : explanation.searches) {
        if (search.informed)
            text += "when " + known_text(q) + ":\n";
        else if (q.learns())
            text += "at the first packet, before protocol and host name are known:\n";
        text += search_text(search, q);
    }
    return text;
}

std::string to_json(const std::vector<Explanation>& explanations) {
    std::string out;
    JsonWriter json(out);
    json.open_array();
    for (const Explanation& explanation : explanations) {
        json.open_object();
        json.key("query").text(explanation.query.text);
        json.key("searches").open_array();
        for (const SearchFacts& search : explanation.searches)
            write_search(json, search, explanation.query);
        json.close_array();
        if (explanation.rules) write_rules(json, *explanation.rules);
        json.close_object();
    }
    json.close_array();
    return out + "\n";
}

} // namespace nfqws2::app
