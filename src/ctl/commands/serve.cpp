#include "commands/commands.hpp"

#include "doctor/doctor.hpp"
#include "serve/blockcheck.hpp"
#include "serve/server.hpp"

namespace nfqws2::ctl {
namespace {

struct Options {
    std::string listen = "127.0.0.1:8422";
    std::string blockcheck = last_blockcheck_file;
    bool read_only = false;
};

void run(const SharedPtr& shared, const Options& options) {
    ServeOptions serving;
    serving.listen = *parse_listen(options.listen); // the command line was checked
    serving.read_only = options.read_only;
    serving.blockcheck = options.blockcheck;
    serving.socket = [shared] { return shared->find_socket(); };
    serving.doctor = [shared] { return findings_list(diagnose(*shared)); };
    if (!serving.listen.loopback()) serving.token = new_token();
    serve(serving, [&](const Listen& at) {
        print("http://" + at.text() + "/" +
              (serving.token.empty() ? "" : "?token=" + serving.token) + "\n");
    });
}

} // namespace

void add_serve(CLI::App& app, const SharedPtr& shared) {
    auto options = std::make_shared<Options>();
    CLI::App* word = app.add_subcommand("serve", "A page that shows all of this in a browser");
    word->add_option("--listen", options->listen,
                     "where; beyond loopback a token is needed, and printed")
        ->type_name("ADDRESS:PORT")
        ->capture_default_str()
        ->check([](const std::string& text) {
            return parse_listen(text) ? std::string() : "an address and a port, such as [::1]:8422";
        });
    word->add_option("--blockcheck", options->blockcheck, "last result of blockcheck2")
        ->type_name("FILE")
        ->capture_default_str();
    word->add_flag("--read-only", options->read_only, "the page changes nothing");
    word->callback([&app, shared, options] {
        refuse_options(app, {"--json"});
        run(shared, *options);
    });
}

} // namespace nfqws2::ctl
