// Looks for what makes set-ups fail.
#include "doctor/doctor.hpp"
#include "client/sockets.hpp"
#include "commands/commands.hpp"
#include "doctor/checks.hpp"

#include <unistd.h>

namespace nfqws2::ctl {
namespace {

constexpr int patience_s = 5;

// A daemon that is stuck must not keep the doctor.
std::vector<Json> ask(const std::string& path, const Json& request) {
    std::vector<Json> lines;
    int waited = 0;
    Connection(path).ask(
        request,
        [&](const Json& line) {
            lines.push_back(line);
            return true;
        },
        [&] {
            if (++waited < patience_s) return true;
            throw Failure("it says nothing for " + std::to_string(patience_s) + " s");
        });
    return lines;
}

std::vector<std::string> sockets_of(const Shared& shared) {
    if (!shared.socket.empty() || !shared.queue.empty()) return {shared.find_socket()};
    // The socket of a daemon that has ended stays, and the next start replaces it.
    std::vector<std::string> files = socket_files(socket_folder());
    std::erase_if(files, [](const std::string& file) { return !answers(file); });
    return files;
}

} // namespace

Findings diagnose(const Shared& shared) {
    if (geteuid() != 0) throw Failure("only root can see rules and queues");
    return examine(gather(ThisMachine(), sockets_of(shared), ask));
}

void add_doctor(CLI::App& app, const SharedPtr& shared, int* code) {
    struct Wish {
        std::vector<std::string> names;
        std::string url = "https://cloudflare-dns.com/dns-query";
    };
    auto wish = std::make_shared<Wish>();
    CLI::App* word = app.add_subcommand("doctor", "Looks for what makes set-ups fail");
    word->add_option("--names", wish->names, "compare the addresses of these hosts too: asks --doh")
        ->type_name("HOST");
    word->add_option("--doh", wish->url, "server for that, with JSON over HTTPS")
        ->type_name("URL")
        ->capture_default_str();
    word->callback([shared, wish, code] {
        Findings findings = diagnose(*shared);
        check_names(ThisMachine(), wish->names, wish->url, findings);
        print(shared->json ? findings_json(findings) : findings_text(findings, Style::of_output()));
        *code = is_ill(findings) ? 1 : 0;
    });
}

} // namespace nfqws2::ctl
