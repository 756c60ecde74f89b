#include "check/check_strategies.hpp"

#include "check/known_functions.hpp"
#include "nfqws2/base/text.hpp"

#include <cstdlib>
#include <set>
#include <span>

namespace nfqws2::app {
namespace {

using profile::LuaInstance;

struct Number {
    std::string_view name;
    double least, most;
    const char* should_be;
};
constexpr double any = 1e12;
constexpr double a_little = 0.001; // more than nothing
constexpr Number numbers[] = {{"fails", 1, any, "1 or more"},
                              {"time", a_little, any, "more than 0"},
                              {"retry", 0, any, "0 or more"},
                              {"memory", a_little, any, "more than 0"},
                              {"explore", 0, 1, "from 0 to 1"}};
// Arguments that name something.
constexpr std::string_view names[] = {"groups", "patterns", "success_detector", "failure_detector"};

std::optional<double> number_of(const std::string& text) {
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    if (text.empty() || end != text.c_str() + text.size()) return std::nullopt;
    return number;
}

class StrategyCheck {
  public:
    StrategyCheck(const LuaInstance& orchestrator, Report& report)
        : orchestrator_(orchestrator), report_(report) {}

    void run(std::span<const LuaInstance> followers) {
        for (const Number& number : numbers)
            check_number(number);
        for (const std::string_view name : names)
            if (const std::string* text = orchestrator_.argument(name); text && text->empty())
                add(Level::error, std::string(name) + "= is empty: leave it out or name something");
        std::set<double> found;
        for (const LuaInstance& follower : followers) {
            const std::string* text = follower.argument("strategy");
            if (text == nullptr) continue;
            if (is_reference(*text)) return;
            const auto number = number_of(*text);
            if (!number || *number < 1)
                return add(Level::error, "strategy=" + *text + " of " + follower.name +
                                             ": strategies are numbered from 1");
            found.insert(*number);
        }
        if (found.empty())
            return add(Level::error, "no strategy follows: instances after it need strategy=1, "
                                     "strategy=2 and so on");
        for (std::size_t n = 1; n <= found.size(); n++)
            if (!found.contains(static_cast<double>(n)))
                return add(Level::error, "strategies are numbered from 1 without gaps, " +
                                             std::to_string(n) + " is missing");
    }

  private:
    void check_number(const Number& number) {
        const std::string* text = orchestrator_.argument(number.name);
        if (text == nullptr || is_reference(*text)) return;
        const auto value = number_of(*text);
        const std::string given = std::string(number.name) + "=" + *text;
        if (!value) return add(Level::warning, given + " is no number, the default is taken");
        if (*value >= number.least && *value <= number.most) return;
        add(Level::warning, given + ": it should be " + number.should_be);
    }
    void add(Level level, const std::string& text) {
        report_.add(level, orchestrator_.position, text + " (instance " + orchestrator_.name + ")");
    }

    const LuaInstance& orchestrator_;
    Report& report_;
};

} // namespace

void check_strategies(const Profiles& profiles, Report& report) {
    for (const auto& profile : profiles) {
        const std::span<const LuaInstance> all(profile->instances);
        for (std::size_t i = 0; i < all.size(); i++)
            if (all[i].func == "learn" || all[i].func == "circular")
                StrategyCheck(all[i], report).run(all.subspan(i + 1));
    }
}

} // namespace nfqws2::app
