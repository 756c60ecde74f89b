#include "mdig/mdig_output.hpp"

#include "command.hpp"
#include "nfqws2/base/text.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <unistd.h>

namespace nfqws2::tools {

namespace {

constexpr std::int64_t flush_interval_ms = 1000;
constexpr std::int64_t progress_interval_ms = 200;

std::int64_t now_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

void append_line(std::string& to, std::string_view line) {
    to += line;
    to += '\n';
}

bool open_log(const std::string& name, FileDescriptor& fd, std::unique_ptr<OutputBuffer>& log) {
    if (name.empty()) return true;
    fd.reset(open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!fd) return false;
    log = std::make_unique<OutputBuffer>(fd.get());
    return true;
}

} // namespace

void Batch::print_literal(const MdigLine& line) {
    addresses_ += line.address;
    if (line.mask) {
        addresses_ += '/';
        addresses_ += std::to_string(*line.mask);
    }
    addresses_ += '\n';
}

void Batch::print_address(const IpAddress& address) {
    append_line(addresses_, address.text());
}

void Batch::add_blank() {
    outcomes_.push_back(false);
}

void Batch::add_done(std::string_view line, bool success, bool logged) {
    outcomes_.push_back(success);
    if (logged) append_line(success ? resolved_ : failed_, line);
}

void Batch::clear() {
    addresses_.clear();
    resolved_.clear();
    failed_.clear();
    outcomes_.clear();
}

MdigOutput::MdigOutput(const MdigOptions& options, const MdigStreams& streams)
    : err_fd_(streams.err), verbose_(options.verbose), stats_interval_(options.stats),
      resolved_name_(options.log_resolved), failed_name_(options.log_failed),
      unbuffered_(isatty(streams.out) == 1),
      progress_(!unbuffered_ && !verbose_ && stats_interval_ == 0 && isatty(streams.err) == 1),
      started_(now_ms()), out_(streams.out), next_flush_(started_ + flush_interval_ms),
      next_progress_(started_ + progress_interval_ms) {
}

std::string MdigOutput::open_logs() {
    if (!open_log(resolved_name_, resolved_fd_, resolved_log_)) return resolved_name_;
    if (!open_log(failed_name_, failed_fd_, failed_log_)) return failed_name_;
    return {};
}

void MdigOutput::commit(Batch& batch) {
    const Millis now = now_ms();
    const std::lock_guard lock(mutex_);
    out_.append(batch.addresses_);
    if (resolved_log_) resolved_log_->append(batch.resolved_);
    if (failed_log_) failed_log_->append(batch.failed_);
    for (const bool success : batch.outcomes_)
        count(success);
    batch.clear();

    if (unbuffered_ || waiting_ || now >= next_flush_) {
        flush_all();
        next_flush_ = now + flush_interval_ms;
    }
    if (progress_ && now >= next_progress_) {
        show_progress(now);
        next_progress_ = now + progress_interval_ms;
    }
    if (out_.error() != 0) failed_ = true;
}

void MdigOutput::count(bool success) {
    domains_++;
    if (success) successes_++;
    if (stats_interval_ != 0 && domains_ % stats_interval_ == 0) print_stats();
}

void MdigOutput::print_stats() {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    write_error_text(format("mdig stats : %02d:%02d:%02d : domains=%llu success=%llu error=%llu\n",
                            local.tm_hour, local.tm_min, local.tm_sec,
                            static_cast<unsigned long long>(domains_),
                            static_cast<unsigned long long>(successes_),
                            static_cast<unsigned long long>(domains_ - successes_)));
}

void MdigOutput::show_progress(Millis now) {
    const auto elapsed = static_cast<std::uint64_t>(now - started_);
    write_error_text(format("\r\033[Kmdig: %llu lines, %llu resolved, %llu failed, %llu/s",
                            static_cast<unsigned long long>(domains_),
                            static_cast<unsigned long long>(successes_),
                            static_cast<unsigned long long>(domains_ - successes_),
                            static_cast<unsigned long long>(domains_ * 1000 / elapsed)));
}

void MdigOutput::message(unsigned thread, std::string_view text) {
    std::string line = '[' + std::to_string(thread) + "] ";
    append_line(line, text);
    const std::lock_guard lock(mutex_);
    write_error_text(line);
}

void MdigOutput::complain(std::string_view text) {
    std::string line;
    append_line(line, text);
    const std::lock_guard lock(mutex_);
    write_error_text(line);
}

void MdigOutput::set_waiting(bool waiting) {
    const std::lock_guard lock(mutex_);
    waiting_ = waiting;
    if (waiting) flush_all();
}

void MdigOutput::flush_all() {
    out_.flush();
    if (resolved_log_) resolved_log_->flush();
    if (failed_log_) failed_log_->flush();
}

int MdigOutput::finish() {
    const std::lock_guard lock(mutex_);
    flush_all();
    if (progress_) write_error_text("\r\033[K");
    if (stats_interval_ != 0) print_stats();
    return report_write_errors();
}

int MdigOutput::report_write_errors() {
    int code = exit_done;
    const auto report = [&](const OutputBuffer* buffer, const std::string& name) {
        if (buffer == nullptr || buffer->error() == 0) return;
        write_error_text("could not write to " + name + " : " + std::strerror(buffer->error()) +
                         '\n');
        code = exit_io;
    };
    report(&out_, "stdout");
    report(resolved_log_.get(), resolved_name_);
    report(failed_log_.get(), failed_name_);
    return code;
}

// One write for one text, past stdio, so that lines of several threads stay whole.
void MdigOutput::write_error_text(std::string_view text) const {
    while (!text.empty()) {
        const ssize_t n = write(err_fd_, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

} // namespace nfqws2::tools
