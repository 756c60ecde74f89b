#include "describe.hpp"

#include "json.hpp"

namespace nfqws2::ctl {
namespace {

// `inner`: of a word, where --help needs no mention.
Json options_of(const CLI::App& app, bool inner) {
    Json all = Json::array();
    for (const CLI::Option* option : app.get_options()) {
        // Without a group it is not for people.
        if (!option->get_positional() && option->get_group().empty()) continue;
        if (inner && option == app.get_help_ptr()) continue;
        Json names = Json::array();
        for (const std::string& name : option->get_snames())
            names.push_back("-" + name);
        for (const std::string& name : option->get_lnames())
            names.push_back("--" + name);
        const bool flag = option->get_items_expected_max() == 0;
        // What is checked is added behind a colon.
        const std::string kind = flag ? std::string() : option->get_type_name();
        all.push_back({{"names", std::move(names)},
                       {"kind", kind.substr(0, kind.find(':'))},
                       {"help", option->get_description()}});
    }
    return all;
}

} // namespace

std::string describe(const CLI::App& app) {
    Json words = Json::array();
    const auto all = app.get_subcommands([](const CLI::App*) { return true; });
    for (const CLI::App* word : all)
        words.push_back({{"name", word->get_name()},
                         {"help", word->get_description()},
                         {"options", options_of(*word, true)}});
    return dump(Json{{"options", options_of(app, false)}, {"words", std::move(words)}});
}

} // namespace nfqws2::ctl
