#include "check/check_functions.hpp"

#include "check/known_functions.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/protocol/marker.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace nfqws2::app {
namespace {

using profile::LuaInstance;
using profile::Profile;

std::string quoted(std::string_view text) {
    return "'" + std::string(text) + "'";
}

class InstanceCheck {
  public:
    InstanceCheck(const Profile& p, const LuaInstance& instance, const LuaGlobals& globals,
                  Report& report)
        : profile_(p), instance_(instance), globals_(globals), report_(report),
          known_(find_known_function(instance.func)) {}

    void run();

  private:
    void add(Level level, const std::string& text) {
        report_.add(level, instance_.position, text + " (instance " + instance_.name + ")");
    }
    std::string hint(std::string_view name, std::string_view type) const;
    std::string desync_hint(std::string_view name) const;
    bool check_function();
    void check_names();
    void check_value(std::string_view name, std::string_view value);
    void check_blob(std::string_view name, std::string_view value, Level missing);
    void check_reference(std::string_view name, std::string_view variable);
    void check_markers(std::string_view name, std::string_view value, bool list);
    void check_named_functions(std::string_view name, std::string_view value);
    void check_named_function(const std::string& what, std::string_view name,
                              std::string_view function);
    const LuaInstance* maker_of(std::string_view variable) const;
    const std::string* argument(std::string_view name) const;
    bool takes_foreign_arguments() const;

    const Profile& profile_;
    const LuaInstance& instance_;
    const LuaGlobals& globals_;
    Report& report_;
    const KnownFunction* known_;
};

const std::string* InstanceCheck::argument(std::string_view name) const {
    return instance_.argument(name);
}

// A near name among the globals of a type.
std::string InstanceCheck::hint(std::string_view name, std::string_view type) const {
    std::vector<std::string_view> names;
    for (const auto& [global, global_type] : globals_)
        if (global_type == type) names.emplace_back(global);
    return did_you_mean(name, names);
}

// Of a desync function: helpers are thought of only where none is near.
std::string InstanceCheck::desync_hint(std::string_view name) const {
    std::vector<std::string_view> names;
    for (const auto& [global, type] : globals_)
        if (type == "function" && find_known_function(global) != nullptr)
            names.emplace_back(global);
    const std::string preferred = did_you_mean(name, names);
    return preferred.empty() ? hint(name, "function") : preferred;
}

void InstanceCheck::run() {
    if (!check_function()) return;
    if (known_ != nullptr) check_names();
    std::set<std::string_view> seen;
    for (const auto& [name, value] : instance_.args)
        if (seen.insert(name).second) check_value(name, value);
}

bool InstanceCheck::check_function() {
    const std::string& name = instance_.func;
    const auto found = globals_.find(name);
    if (found != globals_.end() && found->second == "function") return true;
    std::string text = "desync function " + quoted(name);
    if (found != globals_.end())
        text += " is a " + found->second + ", not a function";
    else if (known_ != nullptr)
        text += " does not exist: its library is not loaded by any --lua-init";
    else
        text += " does not exist" + desync_hint(name);
    add(Level::error, text);
    return false;
}

// Functions of the user may be called on behalf of this instance and read any argument.
bool InstanceCheck::takes_foreign_arguments() const {
    for (const auto& [name, value] : instance_.args) {
        if (argument(name) != &value) continue; // the first of a name counts
        if (is_of_kind(name, ArgumentKind::function) && !value.empty() && value != "ipfrag2")
            return true;
        if (is_of_kind(name, ArgumentKind::condition) && !value.starts_with("cond_")) return true;
    }
    return false;
}

void InstanceCheck::check_names() {
    for (const KnownArgument& known : known_->arguments)
        if (known.required && argument(known.name) == nullptr)
            add(Level::error, instance_.func + " needs argument " + quoted(known.name));
    for (const KnownArgument& known : known_->arguments)
        if (argument(known.name) != nullptr && !known.partner.empty() &&
            argument(known.partner) == nullptr)
            add(Level::error, instance_.func + ": " + std::string(known.name) + " needs " +
                                  std::string(known.partner) + " beside it");
    if (takes_foreign_arguments()) return;
    for (const auto& [name, value] : instance_.args) {
        if (find_argument(*known_, name) != nullptr) continue;
        std::vector<std::string_view> names;
        for (const KnownArgument& known : known_->arguments)
            names.push_back(known.name);
        add(Level::warning,
            instance_.func + " has no argument " + quoted(name) + did_you_mean(name, names));
    }
}

void InstanceCheck::check_value(std::string_view name, std::string_view value) {
    if (is_reference(value)) return check_reference(name, value.substr(1));
    const KnownArgument* known = known_ != nullptr ? find_argument(*known_, name) : nullptr;
    if (known == nullptr || value.starts_with('\\')) return;
    switch (known->kind) {
    case ArgumentKind::blob:
        // `optional` makes the function do without.
        return check_blob(name, value,
                          argument("optional") != nullptr ? Level::warning : Level::error);
    case ArgumentKind::marker:
        return check_markers(name, value, false);
    case ArgumentKind::markers:
        return check_markers(name, value, true);
    case ArgumentKind::condition:
    case ArgumentKind::function:
        return check_named_functions(name, value);
    case ArgumentKind::new_blob:
    case ArgumentKind::file: // argument_files.hpp
    case ArgumentKind::plain:
        break;
    }
}

// An instance in front of this one that makes the variable, for sure or perhaps.
const LuaInstance* InstanceCheck::maker_of(std::string_view variable) const {
    const LuaInstance* perhaps = nullptr;
    for (const LuaInstance& other : profile_.instances) {
        if (&other == &instance_) break;
        const KnownFunction* function = find_known_function(other.func);
        if (function == nullptr && globals_.contains(other.func)) perhaps = &other;
        if (other.func == "luaexec") {
            const std::string* code = other.argument("code");
            if (code != nullptr && code->find(variable) != std::string::npos) return &other;
        }
        if (function == nullptr) continue;
        for (const KnownArgument& known : function->arguments) {
            if (known.kind != ArgumentKind::new_blob) continue;
            const std::string* made = other.argument(known.name);
            if (made != nullptr && *made == variable) return &other;
        }
    }
    return perhaps;
}

void InstanceCheck::check_blob(std::string_view name, std::string_view value, Level missing) {
    const std::string what = std::string(name) + "=" + std::string(value);
    if (value.starts_with("0x")) {
        if (!from_hex(value.substr(2))) add(Level::error, what + ": bad hex string");
        return;
    }
    if (value.empty() || globals_.contains(value)) return;
    if (const LuaInstance* maker = maker_of(value)) {
        add(Level::notice,
            what + ": there is no such blob now, instance " + maker->name + " may make it");
        return;
    }
    add(missing, what + ": blob " + quoted(value) + " does not exist" + hint(value, "string"));
}

// %name and #name.
void InstanceCheck::check_reference(std::string_view name, std::string_view variable) {
    // Fields of the desync table can be meant as well as globals.
    static constexpr std::string_view fields[] = {
        "profile_name", "cookie",       "func_instance", "l7payload", "l7proto",
        "reasm_data",   "decrypt_data", "func",          "ifin",      "ifout",
        "profile_n",    "func_n",       "fwmark",        "tcp_mss"};
    if (globals_.contains(variable) ||
        std::find(std::begin(fields), std::end(fields), variable) != std::end(fields))
        return;
    const std::string what = std::string(name) + ": variable " + quoted(variable);
    if (const LuaInstance* maker = maker_of(variable)) {
        add(Level::notice, what + " does not exist now, instance " + maker->name + " may make it");
        return;
    }
    add(Level::error, what + " does not exist" + hint(variable, "string"));
}

void InstanceCheck::check_markers(std::string_view name, std::string_view value, bool list) {
    if (value.empty()) return;
    if (list ? protocol::parse_marker_list(value).has_value()
             : protocol::parse_marker(value).has_value())
        return;
    add(Level::error, std::string(name) + "=" + std::string(value) +
                          ": bad position (e.g. 2, -10, " + "host+1, midsld" +
                          (list ? ", or several with commas)" : ")"));
}

// Of detectors there may be several; nothing between them counts as nothing.
void InstanceCheck::check_named_functions(std::string_view name, std::string_view value) {
    const std::string what = std::string(name) + "=" + std::string(value);
    const bool by_default = value.empty() && (name == "fool" || name == "ipfrag");
    if (by_default) return;
    if (!names_detectors(name)) return check_named_function(what, "", value);
    for (const std::string_view function : split(value, '+'))
        if (!function.empty())
            check_named_function(what, function == value ? "" : function, function);
}

// `name`: what to call it where the value has more than one.
void InstanceCheck::check_named_function(const std::string& what, std::string_view name,
                                         std::string_view function) {
    const auto found = globals_.find(function);
    if (found != globals_.end() && found->second == "function") return;
    const std::string which = name.empty() ? "" : " " + quoted(name);
    const LuaInstance* maker =
        function.empty() || found != globals_.end() ? nullptr : maker_of(function);
    if (maker != nullptr)
        add(Level::notice, what + ": there is no such function" + which + " now, instance " +
                               maker->name + " may make it");
    else
        add(Level::error, what + ": no such function" + which + hint(function, "function"));
}

} // namespace

void check_functions(const Profiles& profiles, const LuaGlobals& globals, Report& report) {
    for (const auto& p : profiles)
        for (const LuaInstance& instance : p->instances)
            InstanceCheck(*p, instance, globals, report).run();
}

} // namespace nfqws2::app
