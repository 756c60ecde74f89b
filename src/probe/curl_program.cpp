#include "asker.hpp"
#include "numbers.hpp"
#include "process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <unistd.h>
#include <utility>

// Theory of operation. Each question is a process of the curl program, whose output and complaints
// are read through pipes: a line of figures, of plain HTTP the header before it, and curl's error.
// Whoever names a program of his own gets the words that blockcheck2 gives to curl.

namespace nfqws2::probe {

namespace {

constexpr std::size_t longest_output = 1 << 20;
constexpr const char* figures =
    "\\n@@ %{http_code} %{size_download} %{time_total} %{time_connect} %{remote_ip}\\n";

struct Conversation {
    Question question;
    Process process;
    FileDescriptor output, errors;
    std::string said, complained;
};

// Both ends of a pipe.
bool make_pipe(FileDescriptor& reader, FileDescriptor& writer) {
    std::array<int, 2> ends{-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
        return false;
    }
    reader.reset(ends[0]);
    writer.reset(ends[1]);
    fcntl(writer.get(), F_SETFL, 0);
    return true;
}

// What is there now; closes it at its end. What is more than anything sensible is dropped.
void read_some(FileDescriptor& from, std::string& text) {
    std::array<char, 16384> buffer{};
    ssize_t count = 0;
    while ((count = read(from.get(), buffer.data(), buffer.size())) > 0) {
        text.append(buffer.data(), static_cast<std::size_t>(count));
        text.resize(std::min(text.size(), longest_output));
    }
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        from.reset();
    }
}

// Of seconds with decimals; a version may use a decimal comma.
std::uint64_t milliseconds_of(std::string_view seconds) {
    const auto point = std::min(seconds.find_first_of(".,"), seconds.size());
    std::string decimals(seconds.substr(std::min(point + 1, seconds.size())));
    decimals.resize(3, '0');
    return leading_number(seconds.substr(0, point)) * 1000 + leading_number(decimals);
}

void read_figures(std::string_view line, Attempt& attempt) {
    take_word(line);
    attempt.status = static_cast<long>(leading_number(take_word(line)));
    attempt.bytes = leading_number(take_word(line));
    attempt.milliseconds = milliseconds_of(take_word(line));
    const std::string_view connect = take_word(line);
    // Some versions count a TLS connection only when its handshake is over, but tell the address.
    attempt.connected =
        connect.find_first_not_of("0.,") != std::string_view::npos || !take_word(line).empty();
}

// Of the first line of a header. A program of the user's may tell no figures.
std::optional<long> status_of(std::string_view line) {
    if (take_word(line).substr(0, 5) != "HTTP/") {
        return std::nullopt;
    }
    return static_cast<long>(leading_number(take_word(line)));
}

std::string seconds_text(std::uint32_t milliseconds) {
    std::string text = std::to_string(milliseconds / 1000);
    if (milliseconds % 1000 != 0) {
        text += '.' + std::to_string(1000 + milliseconds % 1000).substr(1);
    }
    return text;
}

class Programs final : public Asker {
  public:
    explicit Programs(const Options& options) : options_(options) {}
    void ask(const Question& question) override;
    bool work(int milliseconds, std::vector<Answer>& answers) override;

  private:
    Words words_for(const Question& question) const;
    static Attempt outcome(Conversation& one);

    const Options& options_;
    std::vector<Conversation> running_;
};

Words Programs::words_for(const Question& question) const {
    Words words{options_.curl};
    const auto add = [&words](std::initializer_list<std::string> more) {
        words.insert(words.end(), more);
    };
    if (question.port != 0) {
        add({"--local-port", std::to_string(question.port)});
    }
    add({"--connect-to", connect_to(question, options_)});
    if (question.plain()) {
        add({"-SsD", "/dev/stdout"});
    } else {
        words.insert(words.end(), options_.head ? 1 : 0, "-I");
        words.emplace_back("-Ss");
    }
    add({"-A", options_.user_agent, "--max-time", seconds_text(options_.max_time)});
    words.insert(words.end(), options_.curl_words.begin(), options_.curl_words.end());
    if (question.protocol == Protocol::http3) {
        words.emplace_back("--http3-only");
    } else if (!question.plain()) {
        const std::string version = question.protocol == Protocol::tls12 ? "1.2" : "1.3";
        words.push_back("--tlsv" + version);
        if (options_.tls_max) {
            add({"--tls-max", version});
        }
    }
    add({(question.plain() ? "http://" : "https://") + question.place, "-o", "/dev/null"});
    if (!options_.header_file.empty()) {
        add({"-H", '@' + options_.header_file});
    }
    add({"-w", figures});
    return words;
}

void Programs::ask(const Question& question) {
    Conversation one;
    one.question = question;
    FileDescriptor output;
    FileDescriptor errors;
    if (make_pipe(one.output, output) && make_pipe(one.errors, errors)) {
        one.process = Process(words_for(question), output.get(), errors.get());
    }
    running_.push_back(std::move(one));
}

Attempt Programs::outcome(Conversation& one) {
    Attempt attempt;
    const bool started = one.process.pid() > 0;
    attempt.code = started ? one.process.wait() : 2;
    attempt.address = one.question.address;
    std::string location;
    std::string_view said = one.said;
    while (!said.empty()) {
        const std::string_view line = said.substr(0, said.find('\n'));
        said.remove_prefix(std::min(line.size() + 1, said.size()));
        if (line.substr(0, 3) == "@@ ") {
            read_figures(line, attempt);
        } else {
            note_location(location, line);
            attempt.status = status_of(line).value_or(attempt.status);
        }
    }
    attempt.error = started ? one.complained : "no process can be started";
    attempt.error.erase(attempt.error.find_last_not_of('\n') + 1);
    if (attempt.code == 0) {
        attempt.error.clear();
        if (one.question.plain()) {
            judge_http(attempt, location, one.question.host());
        }
    }
    return attempt;
}

bool Programs::work(int milliseconds, std::vector<Answer>& answers) {
    std::vector<pollfd> waits;
    for (const Conversation& one : running_) {
        waits.push_back({one.output.get(), POLLIN, 0});
        waits.push_back({one.errors.get(), POLLIN, 0});
    }
    if (poll(waits.data(), waits.size(), milliseconds) < 0 && errno != EINTR) {
        return false;
    }
    for (Conversation& one : running_) {
        read_some(one.output, one.said);
        read_some(one.errors, one.complained);
        if (!one.output && !one.errors) {
            answers.push_back({one.question.owner, one.question.number, outcome(one)});
        }
    }
    running_.erase(
        std::remove_if(running_.begin(), running_.end(),
                       [](const Conversation& one) { return !one.output && !one.errors; }),
        running_.end());
    return true;
}

} // namespace

std::unique_ptr<Asker> ask_by_program(const Options& options) {
    return std::make_unique<Programs>(options);
}

} // namespace nfqws2::probe
