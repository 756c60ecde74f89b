#include "doctor/machine.hpp"

#include "argv.hpp"
#include "nfqws2/base/file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nfqws2::ctl {
namespace {

constexpr std::size_t longest_file = 4U << 20;
constexpr std::size_t longest_output = 16U << 20;
constexpr std::chrono::seconds patience{20};

// Nothing of the caller's environment decides what is run.
constexpr std::array<const char*, 3> environment = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/sbin:/opt/bin",
    "LC_ALL=C", nullptr};

struct Pipe {
    FileDescriptor reader, writer;
    Pipe() {
        std::array<int, 2> ends{-1, -1};
        if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return;
        reader.reset(ends[0]);
        writer.reset(ends[1]);
    }
};

bool spawn(const std::vector<std::string>& words, int input, int output, pid_t* pid) {
    const std::vector<char*> argv = argv_of(words);
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) return false;
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    // The path of posix_spawnp is our own, so the program is looked for here.
    bool started = false;
    const std::string_view path = std::string_view(environment[0]).substr(5);
    for (std::size_t at = 0; !started && at <= path.size();) {
        const std::size_t end = std::min(path.find(':', at), path.size());
        const bool whole = words[0].find('/') != std::string::npos;
        const std::string file =
            whole ? words[0] : std::string(path.substr(at, end - at)) + "/" + words[0];
        started = access(file.c_str(), X_OK) == 0 &&
                  posix_spawn(pid, file.c_str(), &actions, nullptr, argv.data(),
                              const_cast<char* const*>(environment.data())) == 0;
        at = whole ? path.size() + 1 : end + 1;
    }
    posix_spawn_file_actions_destroy(&actions);
    return started;
}

// Feeds and reads until the output ends; false: too long or too late.
bool talk(Pipe& in, Pipe& out, std::string_view input, std::string& text) {
    const auto end = std::chrono::steady_clock::now() + patience;
    if (input.empty()) in.writer.reset();
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            end - std::chrono::steady_clock::now());
        if (left.count() <= 0 || text.size() > longest_output) return false;
        std::array<pollfd, 2> waits = {pollfd{out.reader.get(), POLLIN, 0},
                                       pollfd{in.writer.get(), POLLOUT, 0}};
        if (poll(waits.data(), waits.size(), static_cast<int>(left.count())) < 0 && errno != EINTR)
            return false;
        if (waits[1].revents != 0) {
            const ssize_t written = write(in.writer.get(), input.data(), input.size());
            if (written > 0) input.remove_prefix(static_cast<std::size_t>(written));
            if (input.empty() || (written < 0 && errno != EAGAIN)) in.writer.reset();
        }
        if (waits[0].revents == 0) continue;
        std::array<char, 65536> buffer{};
        const ssize_t count = read(out.reader.get(), buffer.data(), buffer.size());
        if (count == 0) return true;
        if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
        if (count < 0 && errno != EAGAIN && errno != EINTR) return false;
    }
}

void make_blocking(int fd) {
    fcntl(fd, F_SETFL, 0);
}

} // namespace

std::string Machine::line(const std::string& path) const {
    std::string text = read(path).value_or("");
    text.resize(std::min(text.find('\n'), text.size()));
    return text;
}

std::optional<std::string> ThisMachine::read(const std::string& path) const {
    ReadResult result = read_file(path, longest_file);
    if (!result.ok()) return std::nullopt;
    return std::string(result.data.begin(), result.data.end());
}

std::vector<std::string> ThisMachine::names_in(const std::string& folder) const {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
         it.increment(error))
        names.push_back(it->path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

std::string ThisMachine::target_of(const std::string& link) const {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(link, error);
    return error ? std::string() : target.string();
}

Output ThisMachine::run(const std::vector<std::string>& words, const std::string& input) const {
    Output output;
    Pipe in, out;
    pid_t pid = -1;
    if (!in.reader || !out.writer) return output;
    make_blocking(in.reader.get());
    make_blocking(out.writer.get());
    // A program that does not read its input must not end us.
    auto* before = std::signal(SIGPIPE, SIG_IGN);
    if (spawn(words, in.reader.get(), out.writer.get(), &pid)) {
        in.reader.reset();
        out.writer.reset();
        const bool ended = talk(in, out, input, output.text);
        if (!ended) kill(pid, SIGKILL);
        int status = 0;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        output.ran = ended && WIFEXITED(status);
        if (output.ran) output.code = WEXITSTATUS(status);
    }
    std::signal(SIGPIPE, before);
    return output;
}

void ThisMachine::ask_for_queues() const {
    // Does nothing but to be answered, once the module is there.
    struct {
        nlmsghdr header;
        nfgenmsg family;
        nlattr attribute;
        nfqnl_msg_config_cmd command;
    } message{};
    message.header = {sizeof message, (NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_CONFIG,
                      NLM_F_REQUEST | NLM_F_ACK, 1, 0};
    message.attribute = {sizeof message.attribute + sizeof message.command, NFQA_CFG_CMD};
    message.command.command = NFQNL_CFG_CMD_PF_UNBIND;
    const FileDescriptor fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    // The kernel has answered when this returns; what, the files of /proc tell as well.
    if (fd) send(fd.get(), &message, sizeof message, 0);
}

} // namespace nfqws2::ctl
