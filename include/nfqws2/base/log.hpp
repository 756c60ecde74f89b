// Three message classes (docs/contracts/command-line.md#messages): debug goes to the debug target
// when debugging is on; status to stdout (plus the target if that is not the console); error to
// stderr (plus the target). The check `debug_enabled()` is inline so that a disabled log costs one
// load; callers on the packet path test it before they format anything.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace nfqws2::log {

enum class Target { none, console, file, syslog };

namespace detail {
extern std::atomic<bool> debug_on; // may be switched while others look
}
inline bool debug_enabled() {
    return detail::debug_on.load(std::memory_order_relaxed);
}

// A message is one line; a missing newline is added. printf formats.
[[gnu::format(printf, 1, 2)]] void debug(const char* format, ...);
[[gnu::format(printf, 1, 2)]] void status(const char* format, ...);
[[gnu::format(printf, 1, 2)]] void error(const char* format, ...);
// The text as it is (may hold any bytes but NUL); same classes.
void debug_text(std::string_view text);
void status_text(std::string_view text);
void error_text(std::string_view text);
// What was asked for from outside (dumps): as status, and if stdout is thrown away, as a service
// does, it still comes to the journal.
void report_text(std::string_view text);
// "<what>: <strerror(errno_value)>" as error.
void os_error(std::string_view what, int errno_value);

// Looks whether stdout and stderr lead to the journal. Once, at the start.
void find_journal();

void set_target_none();
void set_target_console();
void set_target_syslog();
// Creates/truncates the file; false (errno set, *why told) if that fails. The descriptor is kept
// open and reopened when the file was moved away.
bool set_target_file(const std::string& path, std::string* why = nullptr);
Target target();
const std::string& target_file();
bool give_target_file(unsigned uid); // for the privilege drop; errno is set on failure

// Keeps a copy of the error messages while it lives. One at a time.
class ErrorCollector {
  public:
    ErrorCollector();
    ~ErrorCollector();
    ErrorCollector(const ErrorCollector&) = delete;
    ErrorCollector& operator=(const ErrorCollector&) = delete;
    // What was collected since the last call, without the final newline.
    std::string take();

  private:
    std::string text_;
};

// While it lives, error messages of this thread are kept here and everything else it says is
// dropped: what is found out about a reload is an answer, not an event.
class Diversion {
  public:
    Diversion();
    ~Diversion();
    Diversion(const Diversion&) = delete;
    Diversion& operator=(const Diversion&) = delete;
    std::string take(); // since the last call, without the final newline

  private:
    std::string text_;
    std::string* before_;
};

// Debug output on or off where it was not asked for at the start, or was; without a target it goes
// to the console.
void set_debug(bool on);

// Hears every message, from any thread; whatever it does must not log.
class Listener {
  public:
    enum class Level : std::uint8_t { debug, status, error };
    virtual ~Listener() = default;
    // `line` ends with a newline.
    virtual void heard(Level level, std::string_view line) = 0;
};
// One at a time, nullptr = none. After the return the old one is not called any more.
void set_listener(Listener* listener);
// Whether the listener wants debug text too; the target does not get it for that.
void set_listener_wants_debug(bool wants);

// While it lives, lines of this thread begin with `text`, which must live as long. With several
// workers it tells whose line it is.
class Label {
  public:
    explicit Label(std::string_view text);
    ~Label();
    Label(const Label&) = delete;
    Label& operator=(const Label&) = delete;

  private:
    std::string_view before_;
};

// Limits repeated messages of one kind: true at most once per `interval_ms`; *suppressed tells how
// many were swallowed since the last true.
class RateLimit {
  public:
    explicit RateLimit(unsigned interval_ms) : interval_ms_(interval_ms) {}
    bool allow(unsigned* suppressed = nullptr);

  private:
    unsigned interval_ms_;
    long long next_ms_ = 0;
    unsigned suppressed_ = 0;
};

} // namespace nfqws2::log
