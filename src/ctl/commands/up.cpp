// A daemon with its rules, by one file of options.
#include "client/sockets.hpp"
#include "commands/commands.hpp"
#include "up/instance.hpp"

#include <filesystem>
#include <unistd.h>

namespace nfqws2::ctl {
namespace {

// The daemon beside us, else one from where programs are.
std::string daemon_program() {
    std::error_code error;
    const auto own = std::filesystem::read_symlink("/proc/self/exe", error);
    const std::string beside = (own.parent_path() / "nfqws2").string();
    return access(beside.c_str(), X_OK) == 0 ? beside : "nfqws2";
}

void set_rules(const Instance& instance) {
    std::string told;
    const bool set = instance.set_rules(&told);
    print(told + (set ? "the rules that the options need are set\n"
                      : "rules that lead to the queue are there already and stay as they are\n"));
}

void up(const Instance& instance, bool rules_only) {
    instance.check();
    instance.remove_rules(); // of the time before, or before a crash
    if (rules_only) return set_rules(instance);
    instance.stop();
    instance.start();
    try {
        set_rules(instance);
    } catch (const Failure&) {
        instance.stop();
        throw;
    }
    print("up: " + instance.socket() + "\n");
}

} // namespace

void add_up(CLI::App& app) {
    struct Wish {
        std::string file;
        bool rules_only = false;
    };
    const auto add = [&](const char* name, const char* text, void (*action)(const Wish&)) {
        auto wish = std::make_shared<Wish>();
        CLI::App* word = app.add_subcommand(name, text);
        word->add_option("file", wish->file, "options of the daemon")->required();
        word->add_flag("--rules-only", wish->rules_only, "leave the daemon to somebody else");
        word->callback([&app, wish, action] {
            refuse_options(app, {"--socket", "--queue", "--json"});
            if (geteuid() != 0) throw Failure("only root can set rules");
            action(*wish);
        });
    };
    add("up", "Sets the rules that the options of a file need, and starts the daemon",
        [](const Wish& wish) {
            const ThisMachine machine;
            up(Instance(machine, wish.file, socket_folder(), daemon_program()), wish.rules_only);
        });
    add("down", "Takes the rules of `up` away and ends its daemon", [](const Wish& wish) {
        const ThisMachine machine;
        const Instance instance(machine, wish.file, socket_folder(), daemon_program());
        // Also when the file is gone: what was set by its name is to go.
        if (!instance.has_rules() && !instance.runs()) {
            if (!std::filesystem::exists(wish.file))
                throw Failure("nothing of " + wish.file + " is up, and there is no such file");
            return print("nothing of " + wish.file + " is up\n");
        }
        instance.remove_rules();
        if (!wish.rules_only) instance.stop();
    });
}

} // namespace nfqws2::ctl
