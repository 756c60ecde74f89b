#include "check/check_nflua.hpp"

#include "check/known_functions.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <cstdlib>

namespace nfqws2::app {
namespace {

using profile::LuaInstance;
using Words = std::vector<std::string_view>;

constexpr std::string_view orchestrators[] = {
    "circular", "learn", "condition", "per_instance_condition", "stopif", "repeater"};

bool is_of_nflua(const LuaInstance& instance) {
    return instance.func == "nflua" || instance.func == "nflua_match" ||
           instance.func == "nflua_target";
}

// Of an argument with a default; "" if it is not known yet.
std::string_view value_of(const LuaInstance& instance, std::string_view name,
                          std::string_view otherwise) {
    const std::string* given = instance.argument(name);
    if (given == nullptr) return otherwise;
    return is_reference(*given) ? std::string_view() : std::string_view(*given);
}

bool is_target(const LuaInstance& instance) {
    return instance.func == "nflua_target" ||
           (instance.func == "nflua" && value_of(instance, "mode", "match") == "target");
}

// What tonumber of Lua takes, within 32 bits.
bool is_mask(const std::string& text) {
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    return !text.empty() && *end == '\0' && number >= 0 && number <= UINT32_MAX;
}

class NfluaCheck {
  public:
    NfluaCheck(const LuaInstance& instance, Report& report)
        : instance_(instance), report_(report) {}

    void run(const LuaInstance* orchestrator) {
        if (instance_.func == "nflua") check_word("mode", {"match", "target"});
        if (instance_.func != "nflua_target")
            check_word("j", {"drop", "accept", "next", "continue"});
        const std::string* mask = instance_.argument("mask");
        if (mask != nullptr && !is_reference(*mask) && !is_mask(*mask))
            add(Level::error, "mask=" + *mask + ": a number up to 0xFFFFFFFF");
        if (instance_.func == "nflua" && is_target(instance_) &&
            instance_.argument("func") == nullptr)
            add(Level::error, "mode=target needs argument 'func'");
        if (const std::string why = drops_everything(instance_); !why.empty())
            add(Level::warning, why);
        if (orchestrator != nullptr)
            add(Level::error, "there is no packet below an orchestrator, here " +
                                  orchestrator->name + ": " + instance_.func +
                                  " belongs in front of it or into another profile");
    }

  private:
    void add(Level level, const std::string& text) {
        report_.add(level, instance_.position, text + " (instance " + instance_.name + ")");
    }
    void check_word(std::string_view name, const Words& known) {
        const std::string* value = instance_.argument(name);
        if (value == nullptr || is_reference(*value) ||
            std::ranges::find(known, std::string_view(*value)) != known.end())
            return;
        std::string text = std::string(name) + "=" + *value + ": one of";
        for (const std::string_view word : known)
            text += (word == known.front() ? " " : ", ") + std::string(word);
        add(Level::error, text + did_you_mean(*value, known));
    }

    const LuaInstance& instance_;
    Report& report_;
};

} // namespace

std::string drops_everything(const LuaInstance& instance) {
    if (!is_of_nflua(instance) || is_target(instance)) return "";
    for (const std::string_view condition : {"func", "tcp_payload", "mask"})
        if (instance.argument(condition) != nullptr) return "";
    if (value_of(instance, "j", "drop") != "drop") return "";
    return "without func= every packet matches and is dropped";
}

void check_nflua(const Profiles& profiles, Report& report) {
    for (const auto& profile : profiles) {
        const LuaInstance* orchestrator = nullptr;
        for (const LuaInstance& instance : profile->instances) {
            if (is_of_nflua(instance)) NfluaCheck(instance, report).run(orchestrator);
            if (orchestrator == nullptr &&
                std::ranges::find(orchestrators, instance.func) != std::end(orchestrators))
                orchestrator = &instance;
        }
    }
}

} // namespace nfqws2::app
