#include "nfqws2/rules/lookup.hpp"

#include "in_force.hpp"

#include <algorithm>

namespace nfqws2::rules {
namespace {

class Lookup {
  public:
    Lookup(const InForce& rules, const IpAddress& address)
        : in_force_(rules), program_(*rules.program), address_(address) {}

    std::vector<SetWithAddress> run() {
        for (std::uint32_t view = 0; view < program_.views.size(); view++)
            look(view);
        return std::move(found_);
    }

  private:
    // A global set is part of all views.
    void look(std::uint32_t view) {
        const PrefixSets& sets = *in_force_.views[view];
        const PrefixSets::Class where = sets.find(address_);
        const std::vector<std::uint32_t>& numbers = program_.views[view].sets;
        for (std::uint32_t i = 0; i < numbers.size(); i++)
            if (sets.contains(where, i)) note(view, i, sets.value(where, i));
    }
    void note(std::uint32_t view, std::uint32_t set, std::optional<std::uint32_t> value) {
        const std::uint32_t number = program_.views[view].sets[set];
        const auto known = std::ranges::find(numbers_, number);
        if (known == numbers_.end()) {
            const PrefixSet& of_file = program_.sets[number];
            numbers_.push_back(number);
            found_.push_back({of_file.name, of_file.file, owner(number), value, {}, false});
            name_rules(view, set, found_.back());
        } else {
            name_rules(view, set, found_[static_cast<std::size_t>(known - numbers_.begin())]);
        }
    }
    // The first view has the sets of all profiles and no others.
    std::string owner(std::uint32_t number) const {
        if (std::ranges::find(program_.views[0].sets, number) != program_.views[0].sets.end())
            return "";
        for (const Profile& profile : program_.profiles) {
            const auto& sets = program_.views[profile.view].sets;
            if (std::ranges::find(sets, number) != sets.end()) return profile.name;
        }
        return "";
    }
    bool asks(Slice tests, std::uint32_t set) const {
        for (std::uint32_t i = tests.begin; i < tests.end; i++) {
            const auto* test = std::get_if<test::Set>(&program_.tests[i].condition);
            if (test != nullptr && test->set == set) return true;
        }
        return false;
    }
    void name_rules(std::uint32_t view, std::uint32_t set, SetWithAddress& out) const {
        const auto add = [&out](std::string name) {
            out.more_rules = out.rules.size() == SetWithAddress::most_rules;
            if (!out.more_rules) out.rules.push_back(std::move(name));
        };
        for (const Profile& profile : program_.profiles)
            if (profile.view == view && asks(profile.tests, set)) add(profile.name);
        for (const Rule& rule : program_.rules) {
            const Profile& profile = program_.profiles[rule.profile];
            if (profile.view == view && asks(rule.tests, set)) add(profile.name + " " + rule.name);
        }
    }

    const InForce& in_force_;
    const Program& program_;
    const IpAddress& address_;
    std::vector<std::uint32_t> numbers_; // of Program::sets, as in found_
    std::vector<SetWithAddress> found_;
};

} // namespace

std::vector<SetWithAddress> sets_with(const InForce& rules, const IpAddress& address) {
    return Lookup(rules, address).run();
}

GeoPlace place_of(const InForce& rules, const IpAddress& address) {
    return rules.geo != nullptr ? rules.geo->find(address) : GeoPlace();
}

} // namespace nfqws2::rules
