// Rules with parameters, which a rule may stand for.
#pragma once

#include "values.hpp"

#include <map>
#include <string>
#include <string_view>

namespace nfqws2::rules {

struct Preset {
    std::string file;
    Place at;
    Node params;             // defaults, a table
    std::vector<Node> rules; // as written
};

class Presets {
  public:
    // A member of the table `preset`. Errors are said.
    void add(const Values& values, const Member& member, const std::string& file);
    const Preset* find(std::string_view name) const;
    std::vector<std::string_view> names() const;
    const std::map<std::string, Preset, std::less<>>& all() const { return presets_; }

    // The preset's rules with "$name" replaced by what `params` (may be nullptr) or the preset
    // says. Empty if something was wrong (and said).
    std::vector<Node> expand(const Values& values, const Preset& preset, Place use,
                             const Node* params);

  private:
    std::size_t room_ = 1'000'000; // nodes that all uses together may still become
    std::map<std::string, Preset, std::less<>> presets_;
};

} // namespace nfqws2::rules
