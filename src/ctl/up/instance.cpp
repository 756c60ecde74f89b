#include "up/instance.hpp"

#include "argv.hpp"
#include "doctor/queue_rules.hpp"
#include "failure.hpp"
#include "json.hpp"
#include "nfqws2/base/file.hpp"
#include "nfqws2/base/text.hpp"
#include "view/parts.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

extern char** environ; // NOLINT(readability-redundant-declaration)

namespace nfqws2::ctl {
namespace {

constexpr std::size_t longest_report = 4U << 20;
constexpr auto patience = std::chrono::seconds(10);

// "/etc/zapret2/desktop.conf": "desktop"
std::string name_of_file(const std::string& file) {
    std::string name = std::filesystem::path(file).stem().string();
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    };
    for (char& c : name)
        if (!fits(c)) c = '_';
    return name;
}

// With its errors where ours go.
int run_visibly(const std::vector<std::string>& words) {
    const std::vector<char*> argv = argv_of(words);
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) return -1;
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t pid = -1;
    const int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw Failure(words[0] + ": " + std::strerror(error));
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Root's alone: it is run again later.
void write_note(const std::string& path, const std::string& text) {
    const FileDescriptor file(
        open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file || write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        throw Failure(path + ": " + std::strerror(errno));
}

} // namespace

Instance::Instance(const Machine& machine, const std::string& file, std::string folder,
                   std::string program)
    : machine_(machine), file_(std::filesystem::absolute(file).string()),
      folder_(std::move(folder)), program_(std::move(program)), name_(name_of_file(file)) {
}

void Instance::check() const {
    const Output output = machine_.run({program_, options(), "--check=json"});
    const auto report = parse_object(output.text, longest_report);
    if (output.ran && !report) { // it has not come as far as a report
        run_visibly({program_, options(), "--check"});
        throw Failure("the options of " + file_ + " cannot be used");
    }
    if (!output.ran) throw Failure(program_ + " cannot be run");
    if (output.code == 0) return;
    std::string text = "the options of " + file_ + " are not right:";
    for (const Json& found : elements(member(*report, "findings")))
        if (text_of(member(found, "level")) == "error")
            text += "\n  " + finding_text(found, "    ");
    throw Failure(text);
}

void Instance::start() const {
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (run_visibly({program_, options(), "--control=" + socket(), "--daemon",
                     "--pidfile=" + note(".pid")}) != 0)
        throw Failure("the daemon did not start");
}

long Instance::pid() const {
    const auto pid = parse_uint(machine_.line(note(".pid")), INT32_MAX);
    if (!pid || *pid == 0) return 0;
    // The number may belong to somebody else by now.
    const std::string folder = "/proc/" + std::to_string(*pid);
    const std::string program = machine_.target_of(folder + "/exe");
    return program.find("nfqws2") != std::string::npos ? static_cast<long>(*pid) : 0;
}

bool Instance::runs() const {
    return pid() != 0;
}

void Instance::stop() const {
    const long process = pid();
    const auto end = std::chrono::steady_clock::now() + patience;
    if (process != 0) kill(static_cast<pid_t>(process), SIGTERM);
    while (process != 0 && pid() == process) {
        if (std::chrono::steady_clock::now() > end) kill(static_cast<pid_t>(process), SIGKILL);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    unlink(note(".pid").c_str());
}

std::string Instance::printed(const char* format) const {
    const Output output =
        machine_.run({program_, options(), std::string("--print-rules=") + format});
    if (!output.good()) throw Failure("no rules follow from " + file_);
    return output.text;
}

bool Instance::set_rules(std::string* told) const {
    const auto wanted = parse_object(printed("json"), longest_report);
    const auto queue = wanted ? integer_of(member(*wanted, "queue")) : std::nullopt;
    if (!queue) throw Failure("no rules follow from " + file_);
    Listing listing;
    read_iptables_save(machine_.run({"iptables-save"}).text, listing);
    read_iptables_save(machine_.run({"ip6tables-save"}).text, listing);
    read_nft_ruleset(machine_.run({"nft", "list", "ruleset"}).text, listing);
    // A packet that is queued twice is treated twice.
    for (const QueueRule& rule : listing.queues)
        if (rule.first <= *queue && *queue <= rule.last) return false;
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (machine_.run({"nft", "-f", "-"}, printed("nft")).good()) {
        write_note(note(".nft"), text_of(member(*wanted, "name")));
        return true;
    }
    const std::string script = printed("iptables");
    write_note(note(".sh"), script);
    const Output output = machine_.run({"sh", "-s"}, script);
    *told = output.text;
    if (output.good()) return true;
    remove_rules();
    throw Failure("neither nft nor iptables takes the rules; see nfqws2 @" + file_ +
                  " --print-rules");
}

bool Instance::has_rules() const {
    return machine_.read(note(".nft")) || machine_.read(note(".sh"));
}

void Instance::remove_rules() const {
    if (const std::string name = machine_.line(note(".nft")); !name.empty())
        machine_.run({"nft", "delete", "table", "inet", name});
    if (const auto script = machine_.read(note(".sh")))
        machine_.run({"sh", "-s", "remove"}, *script);
    for (const char* what : {".nft", ".sh"})
        unlink(note(what).c_str());
}

} // namespace nfqws2::ctl
