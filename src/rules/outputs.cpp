// pcapng: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html. Blocks are in the byte
// order of the machine, as the format wants it.
#include "nfqws2/rules/outputs.hpp"

#include "nfqws2/base/log.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace nfqws2::rules {
namespace {

using Buffer = std::vector<std::uint8_t>;

constexpr std::uint32_t section_header = 0x0A0D0D0A, interface_block = 1, packet_block = 6;
constexpr std::uint16_t end_of_options = 0, comment = 1, interface_name = 2, time_resolution = 9;
constexpr std::uint16_t raw_ip = 101;
constexpr std::size_t most_interfaces = 1000;

template <typename T> void put(Buffer& out, T value) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
    out.insert(out.end(), bytes, bytes + sizeof value);
}

void put_padded(Buffer& out, Bytes data) {
    out.insert(out.end(), data.begin(), data.end());
    out.resize((out.size() + 3) / 4 * 4);
}

void put_option(Buffer& out, std::uint16_t code, Bytes value) {
    put(out, code);
    put(out, static_cast<std::uint16_t>(value.size()));
    put_padded(out, value);
}

// A block is its type, its length, a body in words of 32 bits, and its length again.
class Block {
  public:
    Block(Buffer& out, std::uint32_t type) : out_(out), begin_(out.size()) {
        put(out, type);
        put(out, std::uint32_t{0});
    }
    void end() {
        const auto length =
            static_cast<std::uint32_t>(out_.size() - begin_ + sizeof(std::uint32_t));
        put(out_, length);
        std::memcpy(&out_[begin_ + sizeof length], &length, sizeof length);
    }

  private:
    Buffer& out_;
    std::size_t begin_;
};

void put_section(Buffer& out) {
    Block block(out, section_header);
    put(out, std::uint32_t{0x1A2B3C4D});
    put(out, std::uint16_t{1});
    put(out, std::uint16_t{0});
    put(out, std::int64_t{-1}); // of unknown length
    block.end();
}

void put_interface(Buffer& out, std::string_view name) {
    Block block(out, interface_block);
    put(out, raw_ip);
    put(out, std::uint16_t{0});
    put(out, std::uint32_t{0}); // packets are whole
    if (!name.empty()) put_option(out, interface_name, as_bytes(name));
    const std::uint8_t nanoseconds = 9;
    put_option(out, time_resolution, {&nanoseconds, 1});
    put_option(out, end_of_options, {});
    block.end();
}

void put_packet(Buffer& out, std::uint32_t interface, std::int64_t unix_ns, Bytes packet,
                std::string_view rule) {
    Block block(out, packet_block);
    put(out, interface);
    put(out, static_cast<std::uint32_t>(static_cast<std::uint64_t>(unix_ns) >> 32));
    put(out, static_cast<std::uint32_t>(unix_ns));
    put(out, static_cast<std::uint32_t>(packet.size()));
    put(out, static_cast<std::uint32_t>(packet.size()));
    put_padded(out, packet);
    if (!rule.empty()) {
        put_option(out, comment, as_bytes(rule));
        put_option(out, end_of_options, {});
    }
    block.end();
}

bool write_all(int file, Bytes data) {
    while (!data.empty()) {
        const ssize_t written = write(file, data.data(), data.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        data = data.subspan(static_cast<std::size_t>(written));
    }
    return true;
}

std::optional<std::uint64_t> size_of_regular(const FileDescriptor& file) {
    struct stat st {};
    if (fstat(file.get(), &st) != 0 || !S_ISREG(st.st_mode)) return std::nullopt;
    return static_cast<std::uint64_t>(st.st_size);
}

void do_not_wait(const FileDescriptor& file) {
    const int flags = fcntl(file.get(), F_GETFL);
    if (flags >= 0) fcntl(file.get(), F_SETFL, flags | O_NONBLOCK);
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.sun_path);
    return address;
}

} // namespace

void Outputs::capture_into(FileDescriptor file, std::uint64_t most_bytes) {
    if (!size_of_regular(file)) {
        do_not_wait(file);
    } else if (ftruncate(file.get(), 0) != 0) {
        log::os_error("--rules-capture: nothing is written", errno);
        return;
    }
    capture_ = std::move(file);
    capturing_.store(true, std::memory_order_relaxed);
    capture_left_ = most_bytes;
    Buffer head;
    put_section(head);
    write_capture(head);
}

void Outputs::export_into(FileDescriptor file, std::uint64_t most_bytes) {
    do_not_wait(file);
    if (const auto size = size_of_regular(file)) {
        export_most_ = most_bytes;
        export_size_ = *size;
    }
    export_ = std::move(file);
}

bool Outputs::export_to_socket(const std::string& path, std::string* error) {
    *error = "the path of a socket is too long or empty";
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) return false;
    export_.reset(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    *error = std::strerror(errno);
    socket_path_ = path;
    return static_cast<bool>(export_);
}

bool Outputs::PerSecond::take(std::int64_t now_ns) {
    constexpr std::int64_t ns_per_second = 1'000'000'000;
    if (std::exchange(second_, now_ns / ns_per_second) != now_ns / ns_per_second) taken_ = 0;
    return taken_++ < written_per_second;
}

void Outputs::end_capture() {
    capturing_.store(false, std::memory_order_relaxed);
    capture_.reset();
}

// A full file may have been emptied by who reads it.
bool Outputs::may_export(std::size_t size) {
    if (!socket_path_.empty()) return true;
    if (!exports_.take(clock_.unix_ns())) return false;
    if (!export_most_) return true;
    if (export_size_ + size > *export_most_)
        export_size_ = size_of_regular(export_).value_or(export_size_);
    const bool full = export_size_ + size > *export_most_;
    if (full && !std::exchange(export_full_, true))
        log::status("--rules-export: the file has its size, no more is written");
    if (!full) export_full_ = false;
    return !full;
}

// Many interfaces come only from somebody who makes them up: then the last one stands for all.
std::uint32_t Outputs::interface_number(std::string_view name, Buffer& out) {
    const auto known = std::find(interfaces_.begin(), interfaces_.end(), name);
    if (known != interfaces_.end()) return static_cast<std::uint32_t>(known - interfaces_.begin());
    if (interfaces_.size() == most_interfaces)
        return static_cast<std::uint32_t>(most_interfaces - 1);
    put_interface(out, name);
    interfaces_.emplace_back(name);
    return static_cast<std::uint32_t>(interfaces_.size() - 1);
}

void Outputs::write_capture(Bytes blocks) {
    if (blocks.size() > capture_left_) {
        log::status("--rules-capture: the file has its size, no more is written");
        end_capture();
        return;
    }
    capture_left_ -= blocks.size();
    if (write_all(capture_.get(), blocks)) return;
    log::os_error("--rules-capture: no more is written", errno);
    end_capture();
}

void Outputs::capture(Bytes packet, std::string_view interface, std::string_view rule) {
    const std::lock_guard guard(lock_);
    const std::int64_t now_ns = clock_.unix_ns();
    if (!capture_ || !captures_.take(now_ns)) {
        not_captured_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    Buffer blocks;
    const std::uint32_t number = interface_number(interface, blocks);
    put_packet(blocks, number, now_ns, packet, rule);
    write_capture(blocks);
    (capture_ ? captured_ : not_captured_).fetch_add(1, std::memory_order_relaxed);
}

void Outputs::write_record(std::string_view line) {
    const std::lock_guard guard(lock_);
    std::string text;
    if (torn_) text += '\n';
    text += line;
    text += '\n';
    if (!may_export(text.size())) {
        lost_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    ssize_t sent = 0;
    if (socket_path_.empty()) {
        sent = write(export_.get(), text.data(), text.size());
    } else {
        const sockaddr_un address = address_of(socket_path_);
        sent = sendto(export_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                      reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    const bool whole = sent == static_cast<ssize_t>(text.size());
    if (sent > 0) {
        torn_ = !whole && socket_path_.empty();
        export_size_ += static_cast<std::uint64_t>(sent);
    }
    (whole ? exported_ : lost_).fetch_add(1, std::memory_order_relaxed);
}

Outputs::Counts Outputs::counts() const {
    constexpr auto relaxed = std::memory_order_relaxed;
    return {captured_.load(relaxed), not_captured_.load(relaxed), exported_.load(relaxed),
            lost_.load(relaxed)};
}

} // namespace nfqws2::rules
