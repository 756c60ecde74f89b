#include "ctl/program.hpp"

#include "ctl/commands/commands.hpp"
#include "nfqws2/base/build.hpp"

#include <csignal>
#include <cstdio>

namespace nfqws2::ctl {

int program(int argc, char** argv) {
    // A reader that has seen enough (head) ends us quietly by its error.
    std::signal(SIGPIPE, SIG_DFL);
    CLI::App app("Looks into a running nfqws2, and steers it.", "nfqws2ctl");
    app.set_version_flag("-V,--version", std::string("nfqws2ctl ") + build::version);
    app.require_subcommand(1);
    add_ladder(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e);
    } catch (const Failure& e) {
        std::fprintf(stderr, "nfqws2ctl: %s\n", e.what());
        return 1;
    }
    return 0;
}

} // namespace nfqws2::ctl
