#include "start/data_output.hpp"

#include "nfqws2/base/log.hpp"
#include "options/option_table.hpp"
#include "options/values.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace nfqws2::app {
namespace {

bool wants_stdout(std::string_view option, const OptionValue& value) {
    if (option == "pcap-out" || option == "trace") return value == "-";
    if (option == "check") return value == "json";
    return option == "explain-json" || option == "print-rules";
}

// Calls `see` with the name and value of each option.
template <typename See> void look_ahead(const Arguments& arguments, const See& see) {
    OptionParser parser(arguments, option_names(), std::getenv("POSIXLY_CORRECT") != nullptr);
    for (auto step = parser.next(); step != OptionParser::Step::end; step = parser.next())
        if (step == OptionParser::Step::option)
            see(std::string_view(option_names()[parser.option().index].name),
                parser.option().value);
}

} // namespace

bool wants_silence(const Arguments& arguments) {
    bool wanted = false;
    look_ahead(arguments, [&wanted](std::string_view name, const OptionValue&) {
        wanted = wanted || name == "version" || name == "check" || name == "explain" ||
                 name == "print-rules" || name == "quiet";
    });
    return wanted;
}

bool only_looks(const Arguments& arguments) {
    bool looks = false;
    look_ahead(arguments, [&looks](std::string_view name, const OptionValue&) {
        looks = looks || name == "check" || name == "dry-run" || name == "explain" ||
                name == "print-rules" || name == "version" || name == "help";
    });
    return looks;
}

Privileges wanted_privileges(const Arguments& arguments, Privileges base) {
    look_ahead(arguments, [&base](std::string_view name, const OptionValue& value) {
        try {
            if (name == "user" && value) base = parse_user(*value, base);
            if (name == "uid" && value) base = parse_uid(*value, base);
        } catch (const BadValue&) {
        }
    });
    return base;
}

void DataOutput::reserve(const Arguments& arguments) {
    bool wanted = false;
    look_ahead(arguments, [this, &wanted](std::string_view name, const OptionValue& value) {
        if (!wants_stdout(name, value)) return;
        wanted = true;
        for_check_ = for_check_ || name == "check";
    });
    if (!wanted) return;
    file_.reset(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!file_ || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) log::os_error("dup", errno);
}

std::string DataOutput::path() const {
    return file_ ? "/dev/fd/" + std::to_string(file_.get()) : "-";
}

FileDescriptor DataOutput::duplicate() const {
    return FileDescriptor(fcntl(file_ ? file_.get() : STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
}

void DataOutput::print(std::string_view text) const {
    const int fd = file_ ? file_.get() : STDOUT_FILENO;
    std::fflush(stdout);
    while (!text.empty()) {
        const ssize_t n = write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            log::os_error("standard output", n < 0 ? errno : EIO);
            return;
        }
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

} // namespace nfqws2::app
