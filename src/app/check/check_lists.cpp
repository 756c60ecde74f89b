#include "check/check_lists.hpp"

#include "nfqws2/profile/list_file.hpp"

#include <string>
#include <string_view>

namespace nfqws2::app {

void check_lists(const Config& config, Report& report) {
    for (const profile::ListUse& use : config.list_uses) {
        // Lists of the command line have had their say.
        const auto* file = use.hosts ? dynamic_cast<const profile::ListFile*>(use.hosts.get())
                                     : dynamic_cast<const profile::ListFile*>(use.nets.get());
        if (file != nullptr)
            for (const std::string& warning : file->warnings)
                report.add(Level::warning, use.position, warning);
        const bool empty = use.hosts ? use.hosts->empty() : use.nets->empty();
        if (!empty) continue;
        const std::string_view list = use.hosts ? label(*use.hosts) : label(*use.nets);
        report.add(Level::warning, use.position,
                   "list '" + std::string(list) + "' is empty and has no effect");
    }
    for (const profile::UnusedTemplate& unused : config.unused_templates)
        report.add(Level::warning, unused.position,
                   "template " + unused.label + " is never imported");
}

} // namespace nfqws2::app
