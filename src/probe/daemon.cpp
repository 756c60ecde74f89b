#include "daemon.hpp"

#include "batch.hpp"
#include "lines.hpp"
#include "verdict.hpp"

#include <cstdint>
#include <fcntl.h>
#include <initializer_list>
#include <thread>
#include <unistd.h>

// Theory of operation. A start is over when the queue is bound or the process is gone. Where the
// kernel does not list its queues, a pause has to do.

namespace nfqws2::probe {

namespace {

constexpr std::chrono::milliseconds short_pause(10);
constexpr std::chrono::milliseconds blind_pause(100);
constexpr std::size_t longest_log = 16 << 20;

std::string text_of(const std::string& path) {
    // Files of /proc have no size; both kinds are read to their end.
    const ReadResult result = read_file(path, longest_log);
    return {result.data.begin(), result.data.end()};
}

bool is_bound(const std::string& list_of_queues, std::uint16_t queue) {
    const std::string list = text_of(list_of_queues);
    for (std::string_view rest = list; !rest.empty();) {
        std::string_view line = take_part(rest, '\n');
        if (take_word(line) == std::to_string(queue)) {
            return true;
        }
    }
    return false;
}

FileDescriptor write_only(const std::string& path) {
    return FileDescriptor(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
}

// Who cleans up kills what stands there: nothing stands there when there is no process.
void note_process(const std::string& path, const Process& process) {
    const std::string pid = process.pid() > 0 ? std::to_string(process.pid()) + '\n' : "";
    const FileDescriptor note = write_only(path);
    [[maybe_unused]] const auto written = write(note.get(), pid.data(), pid.size());
}

Words joined(std::initializer_list<const Words*> parts) {
    Words all;
    for (const Words* part : parts) {
        all.insert(all.end(), part->begin(), part->end());
    }
    return all;
}

} // namespace

std::string last_words(std::string_view log) {
    std::string_view last;
    while (!log.empty()) {
        const std::string_view line = take_part(log, '\n');
        last = line.empty() ? last : line;
    }
    return last.empty() ? "nfqws2 ended without a word" : plain_text(last);
}

std::map<std::size_t, std::string> lua_errors(std::string_view log) {
    constexpr std::string_view error = "LUA ERROR:";
    constexpr std::string_view place = "  in profile ";
    std::map<std::size_t, std::string> errors;
    std::string said;
    while (!log.empty()) {
        std::string_view line = take_part(log, '\n');
        if (line.substr(0, error.size()) == error) {
            said = plain_text(line);
        } else if (!said.empty() && line.substr(0, place.size()) == place) {
            line.remove_prefix(place.size());
            std::size_t number = 0;
            for (; !line.empty() && line.front() >= '0' && line.front() <= '9';
                 line.remove_prefix(1)) {
                number = number * 10 + static_cast<std::size_t>(line.front() - '0');
            }
            errors.try_emplace(number, said);
            said.clear();
        }
    }
    return errors;
}

bool is_valid(const Options& options, const Words& words, std::string& why) {
    const std::string path = options.folder + "/daemon.check";
    const Words intercept{"--intercept=0"};
    const FileDescriptor log = write_only(path);
    const FileDescriptor nowhere = write_only("/dev/null");
    Process check(joined({&options.daemon, &intercept, &options.scripts, &words}), nowhere.get(),
                  log.get());
    const std::string note = options.folder + "/pids/daemon.check";
    note_process(note, check);
    const auto end = std::chrono::steady_clock::now() + options.patience;
    while (check.alive() && !is_stopped() && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(short_pause);
    }
    const bool hangs = check.alive();
    check.stop();
    note_process(note, check);
    if (hangs) {
        why = no_start;
        return false;
    }
    if (check.wait() == 0) {
        return true;
    }
    why = last_words(text_of(path));
    return false;
}

Daemon::Daemon(const Options& options, std::size_t slot, std::uint16_t queue)
    : options_(options), queue_(queue), log_(options.folder + "/daemon." + std::to_string(slot)),
      note_(options.folder + "/pids/daemon." + std::to_string(slot)) {
}

void Daemon::start(const Words& words) {
    const Words queue{"--qnum=" + std::to_string(queue_)};
    const FileDescriptor log = write_only(log_);
    const FileDescriptor nowhere = write_only("/dev/null");
    process_ = Process(joined({&options_.daemon, &queue, &options_.scripts, &words}), nowhere.get(),
                       log.get());
    state_ = State::starting;
    begin_ = Clock::now();
    note_process(note_, process_);
}

Daemon::State Daemon::look() {
    if (state_ != State::starting) {
        return state_;
    }
    const bool blind = access(options_.list_of_queues.c_str(), R_OK) != 0;
    const auto passed = Clock::now() - begin_;
    if (blind ? passed >= blind_pause : is_bound(options_.list_of_queues, queue_)) {
        state_ = process_.alive() ? State::ready : State::dead;
    } else if (!process_.alive() || passed >= options_.patience) {
        state_ = State::dead;
    }
    return state_;
}

void Daemon::stop() {
    process_.stop();
    state_ = State::none;
    note_process(note_, process_);
}

std::string Daemon::log() const {
    return text_of(log_);
}

} // namespace nfqws2::probe
