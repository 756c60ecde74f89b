// Theory of operation: a message is formatted once into a whole line and then written once to each
// place it belongs to (stdout or stderr, and the debug target). The debug file's descriptor stays
// open; before each line its inode is compared with the path's, so that a file that was moved away
// or deleted is created again. If that fails (the directory may be closed to the unprivileged user)
// the old descriptor stays in use. A lock keeps lines of several threads whole. Where stdout or
// stderr leads to the journal of systemd, each line carries its priority there.
#include "nfqws2/base/log.hpp"

#include "nfqws2/base/answers.hpp"
#include "nfqws2/base/journal.hpp"
#include "nfqws2/base/output_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

namespace nfqws2::log {

namespace detail {
std::atomic<bool> debug_on = false;
}

namespace {

struct State {
    std::mutex lock;
    Target target = Target::none;
    bool quiet = false;
    bool journal_out = false, journal_err = false; // where stdout and stderr lead to
    OutputFile output;
    dev_t device = 0;
    ino_t inode = 0;
    std::string* collected = nullptr; // ErrorCollector
    Listener* listener = nullptr;
    bool debug_to_target = false, listener_wants_debug = false;
    std::uint64_t lost = 0; // lines that a pipe had no room for

    void settle_debug() const { detail::debug_on = debug_to_target || listener_wants_debug; }
};

// Never destroyed: another thread may still log while one ends the process.
State& state() {
    static State& instance = *new State;
    return instance;
}

constinit thread_local std::string_view thread_label;
constinit thread_local std::string* diverted = nullptr; // Diversion

// How long a line waits for a pipe that is full, and the start for somebody who reads.
constexpr int room_patience_ms = 1000, reader_patience_ms = 10'000, reader_step_ms = 50;

bool is_named_pipe(const std::string& path) {
    struct stat st {};
    return lstat(path.c_str(), &st) == 0 && S_ISFIFO(st.st_mode);
}

// It was opened without waiting. A named pipe stays so: who does not read must not stop packets for
// ever, and loses lines. Elsewhere none are lost, as on a terminal or the pipe behind /dev/stdout.
void take_up(State& s, FileDescriptor file) {
    s.output.file = std::move(file);
    const int fd = s.output.file.get();
    struct stat st {};
    if (fstat(fd, &st) != 0) return;
    s.device = st.st_dev;
    s.inode = st.st_ino;
    if (!is_named_pipe(s.output.path)) fcntl(fd, F_SETFL, O_APPEND);
}

void follow_rotation(State& s) {
    struct stat st {};
    const std::string& path = s.output.path;
    if (stat(path.c_str(), &st) == 0 && st.st_dev == s.device && st.st_ino == s.inode) return;
    FileDescriptor fresh = reopen_output_file(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK);
    if (!fresh) return;
    take_up(s, std::move(fresh));
}

bool has_room(int fd, int patience_ms) {
    return wait_until_ready(fd, POLLOUT, patience_ms) > 0;
}

// False: there was no room for it.
bool write_all(int fd, std::string_view line) {
    while (!line.empty()) {
        const ssize_t n = write(fd, line.data(), line.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {
            if (has_room(fd, room_patience_ms)) continue;
            return false;
        }
        if (n <= 0) return true;
        line.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

// Once a line has waited in vain, those behind it are lost without waiting until there is room.
void write_file(State& s, std::string_view line) {
    const int fd = s.output.file.get();
    if (s.lost != 0) {
        if (!has_room(fd, 0)) {
            s.lost++;
            return;
        }
        const std::string note = "\n" + std::to_string(s.lost) + " lines lost, nobody read them\n";
        if (!write_all(fd, note)) return;
        s.lost = 0;
    }
    if (!write_all(fd, line)) s.lost++;
}

// A named pipe is waited for, as if it were opened in the usual way, but not for ever.
OutputFile open_target(const std::string& path) {
    for (int waited = 0;; waited += reader_step_ms) {
        OutputFile fresh = open_output_file(path, O_WRONLY | O_APPEND | O_TRUNC | O_NONBLOCK);
        if (fresh || errno != ENXIO || !is_named_pipe(path) || waited >= reader_patience_ms)
            return fresh;
        poll(nullptr, 0, reader_step_ms);
    }
}

void write_target(State& s, int priority, std::string_view line) {
    if (s.target == Target::file) {
        follow_rotation(s);
        write_file(s, line);
    } else if (s.target == Target::syslog) {
        line.remove_prefix(std::min(line.find_first_not_of('\n'), line.size()));
        if (!line.empty()) syslog(priority, "%.*s", static_cast<int>(line.size() - 1), line.data());
    }
}

enum class Class { debug, status, report, answer, error };

int priority_of(Class what) {
    if (what == Class::error) return LOG_ERR;
    return what == Class::debug ? LOG_DEBUG : LOG_INFO;
}

void write_stream(std::FILE* stream, bool journal, Class what, std::string_view line) {
    const std::string marked = journal ? with_priority(line, priority_of(what)) : std::string();
    const std::string_view text = journal ? marked : line;
    std::fwrite(text.data(), 1, text.size(), stream);
}

Listener::Level level_of(Class what) {
    switch (what) {
    case Class::debug:
        return Listener::Level::debug;
    case Class::error:
        return Listener::Level::error;
    case Class::status:
    case Class::report:
    case Class::answer:
        break;
    }
    return Listener::Level::status;
}

// The label goes behind the empty lines that set a message off from what is above it.
std::string labelled(std::string_view line) {
    std::string text(line);
    const std::size_t at = text.find_first_not_of('\n');
    if (at != std::string::npos) text.insert(at, thread_label);
    return text;
}

// `line` ends with a newline.
void emit_line(Class what, std::string_view message) {
    if (diverted != nullptr) {
        if (what == Class::error) *diverted += message;
        return;
    }
    const std::string with_label = thread_label.empty() ? std::string() : labelled(message);
    const std::string_view line = thread_label.empty() ? message : with_label;
    State& s = state();
    const std::lock_guard guard(s.lock);
    if (what == Class::error && s.collected != nullptr) *s.collected += line;
    if (s.listener != nullptr) s.listener->heard(level_of(what), line);
    if (what == Class::debug && !s.debug_to_target) return;
    if (what == Class::error)
        write_stream(stderr, s.journal_err, what, line);
    else if (what == Class::answer || (what != Class::debug && !s.quiet) ||
             s.target == Target::console)
        write_stream(stdout, s.journal_out, what, line);
    // A service throws stdout away; what somebody has asked for is still wanted.
    if (what == Class::report && s.journal_err && !s.journal_out)
        write_stream(stderr, true, what, line);
    write_target(s, what == Class::error ? LOG_ERR : LOG_DEBUG, line);
}

void emit_text(Class what, std::string_view text) {
    if (!text.empty() && text.back() == '\n') {
        emit_line(what, text);
        return;
    }
    std::string line(text);
    line += '\n';
    emit_line(what, line);
}

[[gnu::format(printf, 2, 0)]] void emit_format(Class what, const char* format, va_list args) {
    char buffer[2048];
    va_list again;
    va_copy(again, args);
    const int size = std::vsnprintf(buffer, sizeof(buffer) - 1, format, args);
    if (size >= 0 && static_cast<std::size_t>(size) < sizeof(buffer) - 1) {
        auto length = static_cast<std::size_t>(size);
        if (length == 0 || buffer[length - 1] != '\n') buffer[length++] = '\n';
        emit_line(what, {buffer, length});
    } else if (size >= 0) {
        std::string line(static_cast<std::size_t>(size), '\0');
        std::vsnprintf(line.data(), line.size() + 1, format, again);
        emit_text(what, line);
    }
    va_end(again);
}

void set_target(Target target) {
    State& s = state();
    const std::lock_guard guard(s.lock);
    s.target = target;
    s.output = {};
    s.debug_to_target = target != Target::none;
    s.settle_debug();
}

long long monotonic_ms() {
    timespec ts{};
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return static_cast<long long>(ts.tv_sec) * 1000 + ts.tv_nsec / 1'000'000;
}

} // namespace

void debug(const char* format, ...) {
    if (!debug_enabled()) return;
    va_list args;
    va_start(args, format);
    emit_format(Class::debug, format, args);
    va_end(args);
}

void status(const char* format, ...) {
    va_list args;
    va_start(args, format);
    emit_format(Class::status, format, args);
    va_end(args);
}

void error(const char* format, ...) {
    va_list args;
    va_start(args, format);
    emit_format(Class::error, format, args);
    va_end(args);
}

void debug_text(std::string_view text) {
    if (debug_enabled()) emit_text(Class::debug, text);
}

void status_text(std::string_view text) {
    emit_text(Class::status, text);
}

void error_text(std::string_view text) {
    emit_text(Class::error, text);
}

void report_text(std::string_view text) {
    emit_text(Class::report, text);
}

void answer_text(std::string_view text) {
    emit_text(Class::answer, text);
}

void find_journal() {
    const char* name = std::getenv("JOURNAL_STREAM");
    State& s = state();
    const std::lock_guard guard(s.lock);
    s.journal_out = leads_to_journal(STDOUT_FILENO, name);
    s.journal_err = leads_to_journal(STDERR_FILENO, name);
}

void set_quiet(bool quiet) {
    State& s = state();
    const std::lock_guard guard(s.lock);
    s.quiet = quiet;
}

void os_error(std::string_view what, int errno_value) {
    error("%.*s: %s", static_cast<int>(what.size()), what.data(), std::strerror(errno_value));
}

void set_target_none() {
    set_target(Target::none);
}

void set_target_console() {
    set_target(Target::console);
}

void set_target_syslog() {
    openlog("nfqws2", LOG_PID, LOG_USER);
    set_target(Target::syslog);
}

bool set_target_file(const std::string& path, std::string* why) {
    OutputFile fresh = open_target(path);
    if (!fresh) {
        const bool unread = errno == ENXIO && is_named_pipe(path);
        if (why != nullptr) *why = unread ? "nobody reads from this pipe" : fresh.error;
        return false;
    }
    set_target(Target::file);
    State& s = state();
    const std::lock_guard guard(s.lock);
    FileDescriptor file = std::move(fresh.file);
    s.output = std::move(fresh);
    s.lost = 0;
    take_up(s, std::move(file));
    return true;
}

Target target() {
    return state().target;
}

const std::string& target_file() {
    return state().output.path;
}

bool give_target_file(unsigned uid) {
    State& s = state();
    const std::lock_guard guard(s.lock);
    return s.target != Target::file || give_output_file(s.output, uid);
}

void set_debug(bool on) {
    State& s = state();
    const std::lock_guard guard(s.lock);
    if (on && s.target == Target::none) s.target = Target::console;
    s.debug_to_target = on;
    s.settle_debug();
}

void set_listener(Listener* listener) {
    State& s = state();
    const std::lock_guard guard(s.lock);
    s.listener = listener;
    if (listener == nullptr) s.listener_wants_debug = false;
    s.settle_debug();
}

void set_listener_wants_debug(bool wants) {
    State& s = state();
    const std::lock_guard guard(s.lock);
    s.listener_wants_debug = wants;
    s.settle_debug();
}

ErrorCollector::ErrorCollector() {
    State& s = state();
    const std::lock_guard guard(s.lock);
    s.collected = &text_;
}

ErrorCollector::~ErrorCollector() {
    State& s = state();
    const std::lock_guard guard(s.lock);
    s.collected = nullptr;
}

std::string ErrorCollector::take() {
    const std::lock_guard guard(state().lock);
    std::string text = std::move(text_);
    text_.clear();
    while (text.ends_with('\n'))
        text.pop_back();
    return text;
}

Diversion::Diversion() : before_(diverted) {
    diverted = &text_;
}

Diversion::~Diversion() {
    diverted = before_;
}

std::string Diversion::take() {
    std::string text = std::move(text_);
    text_.clear();
    while (text.ends_with('\n'))
        text.pop_back();
    return text;
}

Label::Label(std::string_view text) : before_(thread_label) {
    thread_label = text;
}

Label::~Label() {
    thread_label = before_;
}

bool RateLimit::allow(unsigned* suppressed) {
    const long long now = monotonic_ms();
    if (next_ms_ != 0 && now < next_ms_) {
        suppressed_++;
        return false;
    }
    if (suppressed != nullptr) *suppressed = suppressed_;
    suppressed_ = 0;
    next_ms_ = now + interval_ms_;
    return true;
}

} // namespace nfqws2::log
