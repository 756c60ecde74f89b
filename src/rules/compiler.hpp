// Reads a rules file part by part into a program.
#pragma once

#include "nfqws2/rules/compile.hpp"
#include "presets.hpp"
#include "reader.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::rules {

// The directory of a file with its slash, "" for one without.
inline std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

class Compiler {
  public:
    enum class Files : std::uint8_t { may_be_read, are_out_of_reach };
    explicit Compiler(Files files)
        : files_in_reach_(files == Files::may_be_read), program_(std::make_shared<Program>()),
          build_{*program_, Values(findings_), {}, {}, {}, {}, {}, {}, {}} {}

    void compile(std::string_view text, const std::string& name);
    void compile(const Node& root);
    Compiled finish();

  private:
    // False: said.
    bool parse(std::string_view text, const std::string& name, Node& root);
    void root_keys(const Node& root);
    void check_version(const Node& node);
    void numbers(Members& members);
    void limits(const Node& node);
    void geoip(const Node& node, const std::string& directory);
    void includes(const Node& node, const std::string& directory);
    void include(const Node& node, const std::string& directory);
    void global_sets(const Node& node, const std::string& file);
    std::optional<std::uint32_t> add_set(const Member& member, const std::string& directory);
    void add_entries(const Node& node, PrefixSet& set);
    void presets(const Node& node, const std::string& file);
    void profiles(const Node& node);
    void profile(const Node& node);
    void local_sets(const Node& node, SetView& view);
    struct PlannedChain {
        const Node* rules;
        std::uint32_t index;
    };
    std::vector<PlannedChain> plan_chains(const Node* rules, const Node* chains);
    void chain(const PlannedChain& planned);
    void rule(const Node& node, const std::string& outer_name);
    void use_preset(const Node& node, const Node& name, const Node* params);
    void add_rule(const Node& node, const RuleKeys& keys, const std::string& name, bool enabled);
    void find_cycles();
    void need_databases();
    void check_unused_presets();
    void check_preset(const std::string& name, const Preset& preset);
    void note_used_sets();
    void note_pieces();
    void note_link();

    const Values& values() const { return build_.values; }

    bool files_in_reach_;
    Findings findings_;
    std::shared_ptr<Program> program_;
    Build build_;
    Presets presets_;
    std::vector<std::string> files_;
    std::string main_directory_;
    Names names_; // of the present profile, and the global sets
    std::vector<std::uint32_t> global_sets_;
    std::set<std::string, std::less<>> profile_names_, rule_names_, used_presets_;
    std::uint32_t profile_ = 0, chain_ = 0, number_ = 0; // where rules are added
    std::map<std::uint32_t, Place> places_;              // of rules
    std::size_t rules_read_ = 0;                         // also those that are switched off
};

} // namespace nfqws2::rules
