#include "reload/option_set.hpp"

#include "nfqws2/base/text.hpp"
#include "options/option_table.hpp"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace nfqws2::app {
namespace {

// Follows the structure of profiles as ProfileBuilder does, but only to tell texts apart.
class Profiles {
  public:
    void take(const std::string& name, const std::string& value) {
        if (name == "new") {
            close();
            draft_.name = value;
        }
        if (name == "name" || name == "template") draft_.name = value.empty() ? draft_.name : value;
        draft_.skipped |= name == "skip";
        draft_.is_template |= name == "template";
        draft_.imports |= name == "import";
        draft_.text += name + "=" + value + "\n";
    }
    std::vector<OptionSet::ProfileText> finish() {
        close();
        return std::move(profiles_);
    }

  private:
    struct Draft {
        std::string name, text;
        bool skipped = false, is_template = false, imports = false;
    };

    void close() {
        const Draft draft = std::move(draft_);
        draft_ = {};
        if (draft.skipped) return;
        const std::string text = draft.imports ? templates_ + draft.text : draft.text;
        if (draft.is_template)
            templates_ += text;
        else
            profiles_.push_back({draft.name, text});
    }

    Draft draft_;
    std::string templates_; // of all that could be imported so far
    std::vector<OptionSet::ProfileText> profiles_;
};

std::string shown(const std::vector<std::string>* values) {
    if (values == nullptr) return "not given";
    std::string text;
    for (const std::string& value : *values)
        text += (text.empty() ? "" : " ") + (value.empty() ? std::string("given") : value);
    return text;
}

} // namespace

OptionSet option_set(const Arguments& arguments) {
    OptionSet set;
    Profiles profiles;
    OptionParser parser(arguments, option_names(), std::getenv("POSIXLY_CORRECT") != nullptr);
    while (parser.next() == OptionParser::Step::option) {
        const OptionSpec& option = option_table()[parser.option().index];
        const std::string value = parser.option().value.value_or("");
        if (!is_live(option))
            set.fixed[option.name.name].push_back(value);
        else if (!std::holds_alternative<GlobalOption>(option.action))
            profiles.take(option.name.name, value);
    }
    set.profiles = profiles.finish();
    return set;
}

std::vector<std::string> fixed_differences(const OptionSet& before, const OptionSet& now) {
    std::vector<std::string> differences;
    const auto compare = [&](const std::string& name) {
        const auto old = before.fixed.find(name), fresh = now.fixed.find(name);
        const auto* a = old == before.fixed.end() ? nullptr : &old->second;
        const auto* b = fresh == now.fixed.end() ? nullptr : &fresh->second;
        if ((a == nullptr) == (b == nullptr) && (a == nullptr || *a == *b)) return;
        differences.push_back("--" + name + " has changed (" + shown(b) + ", was " + shown(a) +
                              ")");
    };
    for (const auto& [name, values] : before.fixed)
        compare(name);
    for (const auto& [name, values] : now.fixed)
        if (before.fixed.find(name) == before.fixed.end()) compare(name);
    return differences;
}

std::vector<Change> profile_changes(const OptionSet& before, const OptionSet& now) {
    std::vector<Change> changes;
    const std::size_t most = std::max(before.profiles.size(), now.profiles.size());
    for (std::size_t i = 0; i < most; i++) {
        const bool old = i < before.profiles.size(), fresh = i < now.profiles.size();
        if (old && fresh && before.profiles[i].text == now.profiles[i].text) continue;
        const auto& which = fresh ? now.profiles[i] : before.profiles[i];
        const char* how = !old ? "added" : !fresh ? "removed" : "changed";
        changes.push_back({"profile", static_cast<unsigned>(i + 1), which.name, how});
    }
    return changes;
}

} // namespace nfqws2::app
