// The options of the running daemon, anew from their file.
#include "commands/commands.hpp"

namespace nfqws2::ctl {
namespace {

// What the daemon says of it, whatever that is: "key: value" in lines.
std::string facts(const Json& line) {
    std::string text;
    for (const auto& [key, value] : line.items())
        if (key != "end")
            text +=
                safe(key) + ": " + safe(value.is_string() ? text_of(value) : dump(value)) + "\n";
    return text;
}

} // namespace

void add_reload(CLI::App& app, const SharedPtr& shared) {
    struct Wish {
        bool dry_run = false, undo = false;
    };
    auto wish = std::make_shared<Wish>();
    CLI::App* word = app.add_subcommand("reload", "Reads the options of the daemon's file again");
    word->add_flag("--dry-run", wish->dry_run, "only tell what would change");
    word->add_flag("--undo", wish->undo, "back to the last options that worked");
    word->callback([shared, wish] {
        Json request{{"cmd", "reload"}};
        if (wish->dry_run) request["dry_run"] = true;
        if (wish->undo) request["undo"] = true;
        Connection daemon = shared->connect();
        daemon.ask(request, [&](const Json& line) {
            print(shared->json ? dump(line) + "\n" : facts(line));
            return true;
        });
    });
}

} // namespace nfqws2::ctl
