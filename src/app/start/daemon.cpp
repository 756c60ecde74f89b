#include "start/daemon.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/base/output_file.hpp"

#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nfqws2::app {
namespace {

[[noreturn]] void die(int code, const char* what) {
    log::os_error(what, errno);
    std::exit(code);
}

pid_t child_pid = 0; // of the waiting parent

// A terminal sends its signals to both.
void pass_on(int signal, siginfo_t* info, void*) {
    const int saved_errno = errno;
    if (info->si_code <= 0) kill(child_pid, signal);
    errno = saved_errno;
}

// True: the child said that it is ready. False: it ended without a word.
bool wait_until_ready(int fd) {
    struct sigaction action {};
    action.sa_sigaction = pass_on;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    for (const int signal : {SIGTERM, SIGINT})
        sigaction(signal, &action, nullptr);
    char word = 0;
    ssize_t size = 0;
    do
        size = read(fd, &word, 1);
    while (size < 0 && errno == EINTR);
    return size == 1;
}

[[noreturn]] void end_as_child() {
    int status = 0;
    while (waitpid(child_pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) {
        const rlimit no_core{};
        setrlimit(RLIMIT_CORE, &no_core); // the child has left one
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

} // namespace

void Background::begin() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) die(20, "pipe");
    FileDescriptor reader(ends[0]);
    parent_.reset(ends[1]);
    std::fflush(nullptr);
    child_pid = fork();
    if (child_pid < 0) die(20, "fork");
    if (child_pid == 0) return;
    parent_.reset();
    if (wait_until_ready(reader.get())) _exit(0);
    end_as_child();
}

void Background::ready() {
    if (!parent_) return;
    char directory[PATH_MAX];
    const bool have_directory = getcwd(directory, sizeof directory) != nullptr;
    std::fflush(nullptr);
    if (have_directory && chdir(directory) != 0) log::os_error("chdir", errno);
    if (setsid() < 0) die(21, "setsid");
    for (int fd = 0; fd <= 2; fd++)
        if (close(fd) != 0 && errno != EBADF) die(22, "close");
    if (open("/dev/null", O_RDWR) != 0) die(23, "open /dev/null");
    if (dup(0) != 1) die(24, "dup");
    if (dup(0) != 2) die(25, "dup");
    if (write(parent_.get(), "", 1) != 1) die(1, "the starting process is gone");
    parent_.reset();
}

bool PidFile::open(const std::string& path) {
    if (path.empty()) return true;
    OutputFile output = open_output_file(path, O_WRONLY | O_TRUNC);
    if (!output) log::error("create pidfile: %s", output.error.c_str());
    file_ = std::move(output.file);
    return static_cast<bool>(file_);
}

void PidFile::write(pid_t pid) {
    if (!file_) return;
    const std::string text = std::to_string(pid);
    if (::write(file_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        log::os_error("write pidfile", errno);
}

void notify_ready() {
    const char* target = std::getenv("NOTIFY_SOCKET");
    if (target == nullptr || target[0] == '\0') return;
    sockaddr_un address{};
    const std::size_t length = std::strlen(target);
    if ((target[0] != '/' && target[0] != '@') || length >= sizeof address.sun_path) return;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, target, length);
    if (target[0] == '@') address.sun_path[0] = '\0'; // abstract name

    static constexpr char message[] = "READY=1";
    const FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto address_length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    if (!socket || sendto(socket.get(), message, sizeof message - 1, MSG_NOSIGNAL,
                          reinterpret_cast<const sockaddr*>(&address), address_length) < 0)
        log::os_error("notify", errno);
}

} // namespace nfqws2::app
