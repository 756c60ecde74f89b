#include "program.hpp"

#include "commands/commands.hpp"
#include "describe.hpp"
#include "nfqws2/base/build.hpp"
#include "nfqws2/base/text.hpp"
#include "view/terminal.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>

namespace nfqws2::ctl {

namespace {

constexpr int usage = 2;

// The first word that nobody knows, and what it may have been meant to be.
std::string unexpected(const CLI::App& app) {
    const std::vector<std::string> rest = app.remaining(true);
    const std::string word = rest.empty() ? std::string() : rest.front();
    std::vector<std::string_view> known;
    const auto words = app.get_subcommands([](const CLI::App*) { return true; });
    known.reserve(words.size());
    for (const CLI::App* one : words)
        known.push_back(one->get_name());
    std::string text = "unknown word '" + safe(word) + "'";
    if (const auto near = nearest(word, known); !near.empty() && app.get_subcommands().empty())
        text += "; did you mean '" + std::string(near) + "'?";
    return text;
}

// Each message on a line of its own; a line that is set in belongs to the one above.
void complain(std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::fprintf(stderr, "%s%.*s\n",
                     text.front() == ' ' ? "" : "nfqws2ctl: ", static_cast<int>(end), text.data());
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

} // namespace

int program(int argc, char** argv) {
    // A reader that has seen enough (head) ends us quietly by its error.
    std::signal(SIGPIPE, SIG_DFL);
    CLI::App app("Looks into a running nfqws2, and steers it.", "nfqws2ctl");
    app.set_version_flag("-V,--version", std::string("nfqws2ctl ") + build::version);
    app.require_subcommand(0, 1);
    auto shared = std::make_shared<Shared>();
    CLI::Option* socket =
        app.add_option("-s,--socket", shared->socket, "control socket of the daemon")
            ->type_name("PATH");
    app.add_option("-q,--queue", shared->queue, "number of its queue, or name of its instance")
        ->type_name("QNUM")
        ->excludes(socket);
    app.add_flag("-j,--json", shared->json, "what the daemon says, as it is");
    app.fallthrough();
    add_asking(app, shared);
    add_streaming(app, shared);
    add_learn(app, shared);
    add_rules(app, shared);
    add_top(app, shared);
    add_acting(app, shared);
    add_serve(app, shared);
    add_ladder(app);
    add_up(app);
    int code = 0;
    add_doctor(app, shared, &code);
    bool described = false;
    app.add_flag("--describe", described)->group("");
    try {
        app.parse(argc, argv);
        if (described) print(describe(app) + "\n");
        if (described || !app.get_subcommands().empty()) return code;
        std::fputs(app.help().c_str(), stderr);
        return usage;
    } catch (const CLI::ExtrasError& e) {
        complain(unexpected(app));
        return usage;
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : usage;
    } catch (const Refused& e) {
        complain(e.what());
        // Scripts can tell a daemon that is too old from one that says no.
        return e.code() == "unknown-command" ? usage : 1;
    } catch (const Failure& e) {
        complain(e.what());
        return 1;
    }
}

} // namespace nfqws2::ctl
