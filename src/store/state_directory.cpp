// Theory of operation: a save looks at each store. If its file is not as we have left it, somebody
// else has written it, and when it is left in peace record by record the newer one wins; of two of
// the same second the one in the file, which a person has edited; a record whose line is gone goes
// too, unless it has changed since we wrote it. Lines that are none stay as they are. Then, if
// there is anything to write, a new file is written beside the old one, brought to the disk and put
// in its place: at any moment there is a whole one.
//
// Nothing on the way of a packet waits for this: the thread copies pointers under the lock of the
// stores and compares them with those it has written last.
#include "nfqws2/store/state_directory.hpp"
#include "nfqws2/base/sort.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace nfqws2::store {
namespace {

constexpr std::string_view header = "nfqws2-store 1", suffix = ".tsv";
constexpr std::size_t max_file = 16 * 1024 * 1024; // far more than the stores may hold
constexpr std::size_t most_strange = 64 * 1024;    // bytes of lines that are carried along
constexpr unsigned most_set_aside = 9;             // besides the first
constexpr unsigned patience = 10;                  // looks at a file that is never left in peace
constexpr std::chrono::seconds last_wait{1};       // for who is writing, at the end
constexpr const char* lock_name = ".lock";

std::string file_of(const std::string& store) {
    return store + std::string(suffix);
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

// A regular file with at most max_file bytes.
std::optional<std::string> read_all(int fd) {
    std::string text;
    char piece[16 * 1024];
    while (true) {
        const ssize_t n = ::read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return std::nullopt;
        if (n == 0) return text;
        text.append(piece, static_cast<std::size_t>(n));
        if (text.size() > max_file) {
            errno = EFBIG;
            return std::nullopt;
        }
    }
}

// Names of the stores that have a file in the directory, sorted.
std::vector<std::string> stores_in(int directory) {
    const std::unique_ptr<DIR, int (*)(DIR*)> list(fdopendir(dup(directory)), closedir);
    std::vector<std::string> names;
    while (const dirent* entry = list == nullptr ? nullptr : readdir(list.get())) {
        const std::string_view file = entry->d_name;
        if (file.size() > suffix.size() && file.ends_with(suffix))
            names.emplace_back(file.substr(0, file.size() - suffix.size()));
    }
    sort_stably(names);
    return names;
}

bool same(const RecordPointer& a, const Record& b) {
    return a->written == b.written && a->ttl == b.ttl && a->fields == b.fields;
}

} // namespace

StateDirectory::~StateDirectory() {
    stop();
}

bool StateDirectory::complain(const std::string& what, int errno_value) {
    const std::string text =
        "state: " + what + ": " + std::strerror(errno_value) + ", what is learnt stays in memory";
    if (text != complaint_) log::error_text(text);
    complaint_ = text;
    return false;
}

bool StateDirectory::open(const std::string& path) {
    path_ = path;
    FileDescriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return complain("cannot open '" + path + "'", errno);
    struct stat info {};
    if (fstat(directory.get(), &info) != 0) return complain("cannot look at '" + path + "'", errno);
    if (info.st_uid != geteuid())
        return complain("'" + path + "' does not belong to the user of the program", EPERM);
    lock_.reset(
        openat(directory.get(), lock_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock_) return complain("cannot lock '" + path + "'", errno);
    if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
        const int why = errno;
        lock_.reset();
        if (why != EWOULDBLOCK) return complain("cannot lock '" + path + "'", why);
        log::error("state: '%s' is in use by another program, what is learnt stays in memory",
                   path.c_str());
        return false;
    }
    found_ = stores_in(directory.get());
    directory_ = std::move(directory);
    return true;
}

void StateDirectory::load() {
    if (!directory_) return;
    for (const std::string& name : std::exchange(found_, {})) {
        const char* error = nullptr;
        if (const auto store = stores_.open(name, &error))
            load_store(*store, name);
        else
            log::error("state: %s/%s is left alone: %s", path_.c_str(), file_of(name).c_str(),
                       error);
    }
    saved_changes_ = stores_.changes();
}

// What is there counts at once. But nothing is renamed: somebody may be writing it.
void StateDirectory::load_store(std::size_t store, const std::string& name) {
    File& file = files_[name];
    const std::optional<Signature> signature = signature_of(name);
    if (!signature || signature->size < 0) return;
    file.seen = *signature;
    const auto text = read(name);
    if (!text || !text->ours) return;
    if (!text->too_strange) return merge(store, *text, file);
    add_records(store, text->records, file);
    remember(store, text->records, file);
}

StateDirectory::Signature StateDirectory::signature_of(const struct stat& info) {
    Signature signature;
    signature.inode = info.st_ino;
    signature.size = info.st_size;
    signature.modified_ns =
        std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
    return signature;
}

std::optional<StateDirectory::Signature> StateDirectory::signature_of(const std::string& name) {
    struct stat info {};
    if (fstatat(directory_.get(), file_of(name).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0)
        return signature_of(info);
    const int why = errno;
    // Who removes the whole directory has not asked to forget what is in memory.
    const bool has_gone = fstat(directory_.get(), &info) != 0 || info.st_nlink == 0;
    if (why == ENOENT && !has_gone) return Signature();
    complain("cannot look at '" + path_ + "/" + file_of(name) + "'", why);
    return std::nullopt;
}

// False: it is still in its place, which was told.
bool StateDirectory::set_aside(const std::string& name, const Text& text) {
    const std::string file = file_of(name);
    std::string bad = file + ".bad";
    struct stat info {};
    const auto is_taken = [&] {
        return fstatat(directory_.get(), bad.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
    };
    for (unsigned n = 1; n <= most_set_aside && is_taken(); n++)
        bad = file + ".bad." + std::to_string(n);
    const std::string what = "cannot rename '" + path_ + "/" + file + "'";
    if (is_taken()) return complain(what + " to '" + bad + "'", EEXIST);
    if (renameat(directory_.get(), file.c_str(), directory_.get(), bad.c_str()) != 0)
        return complain(what, errno);
    if (text.too_strange)
        log::error("state: %s/%s:%zu: cannot be understood, and more than %zu kB of the file are "
                   "like this: it is now %s, its records are kept",
                   path_.c_str(), file.c_str(), text.first_strange, most_strange / 1024,
                   bad.c_str());
    else
        log::error("state: %s/%s is no file of a store, which begins with '%s' and has its "
                   "records below, it is now %s",
                   path_.c_str(), file.c_str(), std::string(header).c_str(), bad.c_str());
    return true;
}

StateDirectory::Text StateDirectory::parse(std::string_view text) {
    const auto without_return = [](std::string_view line) {
        return line.substr(0, line.size() - (line.ends_with('\r') ? 1 : 0));
    };
    text = without_byte_order_mark(text);
    const std::vector<std::string_view> lines = split(text, '\n');
    Text found;
    found.ours = without_return(lines.front()) == header;
    std::size_t strange_bytes = 0;
    for (std::size_t i = 1; i < lines.size() && found.ours; i++) {
        const std::string_view line = without_return(lines[i]);
        if (line.empty()) continue;
        auto record = from_line(line);
        if (!record) {
            if (found.first_strange == 0) found.first_strange = i + 1;
            strange_bytes += lines[i].size();
            found.too_strange = strange_bytes > most_strange;
            if (!found.too_strange) found.strange.emplace_back(lines[i]);
            continue;
        }
        auto& place = found.records[record->key];
        if (place == nullptr || place->written <= record->written)
            place = std::make_shared<const Record>(std::move(*record));
    }
    return found;
}

// nullopt: it cannot be read, which was told.
std::optional<StateDirectory::Text> StateDirectory::read(const std::string& name) {
    const std::string file = file_of(name), path = path_ + "/" + file;
    const FileDescriptor fd(
        openat(directory_.get(), file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat info {};
    if (!fd || fstat(fd.get(), &info) != 0) {
        complain("cannot read '" + path + "'", errno);
        return std::nullopt;
    }
    const auto text = S_ISREG(info.st_mode) ? read_all(fd.get()) : std::nullopt;
    if (!text) {
        complain("cannot read '" + path + "'", S_ISREG(info.st_mode) ? errno : EINVAL);
        return std::nullopt;
    }
    Text found = parse(*text);
    if (!found.too_strange && !found.strange.empty() && found.strange != files_[name].strange)
        log::error("state: %s:%zu: cannot be understood, it is kept at the end of the file "
                   "(lines like this: %zu)",
                   path.c_str(), found.first_strange, found.strange.size());
    return found;
}

// Who writes in place leaves half a file for a while. So it is taken when it looks as at the look
// before.
StateDirectory::Look StateDirectory::look(const std::string& name, File& file) {
    const std::optional<Signature> now = signature_of(name);
    if (!now) return Look::later;
    const bool quiet = *now == file.seen;
    file.seen = *now;
    if (quiet || *now == file.signature) {
        file.changing = 0;
        return *now == file.signature ? Look::same : Look::other;
    }
    if (++file.changing >= patience)
        complain("'" + path_ + "/" + file_of(name) + "' changes all the time", EBUSY);
    return Look::later;
}

bool StateDirectory::take_file(std::size_t store, const std::string& name, File& file) {
    const auto text = file.seen.size < 0 ? std::make_optional<Text>() : read(name);
    if (!text) return false;
    if (text->ours && !text->too_strange) {
        merge(store, *text, file);
        return true;
    }
    if (!set_aside(name, *text)) return false;
    add_records(store, text->records, file);
    file = File();
    file.anew = true;
    return true;
}

// In the order of their writing, so that the right ones give way if they are too many.
void StateDirectory::add_records(std::size_t store, const Contents& found, const File& file) {
    std::vector<RecordPointer> records;
    for (const auto& [key, record] : found)
        records.push_back(record);
    sort_stably(records, [](const auto& a, const auto& b) { return a->written < b->written; });
    for (const RecordPointer& record : records) {
        const auto before = file.written.find(record->key);
        const bool ours = before != file.written.end() && same(before->second, *record);
        if (ours) continue; // as we left it: whatever has become of it since is newer
        const RecordPointer now = stores_.find(store, record->key);
        if (now == nullptr
                ? before == file.written.end() || before->second->written < record->written
                : now->written <= record->written)
            stores_.put(store, *record, now);
    }
}

void StateDirectory::merge(std::size_t store, const Text& text, File& file) {
    add_records(store, text.records, file);
    for (const auto& [key, record] : file.written)
        if (!text.records.contains(key)) stores_.erase_if(store, record);
    remember(store, text.records, file);
    file.strange = text.strange;
    file.signature = file.seen;
    file.anew = true;
}

// The next save writes what is more than the file has.
void StateDirectory::remember(std::size_t store, const Contents& found, File& file) {
    file.written = found;
    for (auto& [key, record] : file.written) {
        const RecordPointer now = stores_.find(store, key);
        if (now != nullptr && same(now, *record)) record = now;
    }
}

// False: somebody was faster.
bool StateDirectory::is_as_seen(const std::string& name, File& file) {
    const std::optional<Signature> now = signature_of(name);
    if (now == file.seen) return true;
    if (now) {
        file.seen = *now;
        file.changing++;
    }
    return false;
}

bool StateDirectory::write(const std::string& name, const Contents& contents, File& file) {
    const std::string place = file_of(name), fresh = place + ".new", path = path_ + "/" + place;
    std::string text = std::string(header) + '\n';
    for (const auto& [key, record] : contents)
        text += to_line(*record) + '\n';
    for (const std::string& line : file.strange)
        text += line + '\n';
    const FileDescriptor fd(openat(directory_.get(), fresh.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) return complain("cannot write '" + path + "'", errno);
    struct stat info {};
    const bool written =
        write_all(fd.get(), text) && fsync(fd.get()) == 0 && fstat(fd.get(), &info) == 0;
    if (written && !is_as_seen(name, file)) return false;
    if (!written ||
        renameat(directory_.get(), fresh.c_str(), directory_.get(), place.c_str()) != 0) {
        const int why = errno;
        [[maybe_unused]] const int emptied = ftruncate(fd.get(), 0); // the disk may be full
        return complain("cannot write '" + path + "'", why);
    }
    fsync(directory_.get());
    file.signature = file.seen = signature_of(info);
    return true;
}

bool StateDirectory::save_store(std::size_t store, const std::string& name) {
    File& file = files_[name];
    const Look look_at_it = look(name, file);
    if (look_at_it == Look::later) return false;
    if (look_at_it == Look::other && !take_file(store, name, file)) return false;
    if (stores_.changes() == saved_changes_ && !file.anew) return true;
    Contents now;
    for (RecordPointer& record : stores_.records(store))
        now.emplace(record->key, std::move(record));
    if (now != file.written && !write(name, now, file)) return false;
    file.written = std::move(now);
    file.anew = false;
    return true;
}

bool StateDirectory::save() {
    if (!directory_) return true;
    const std::uint64_t changes = stores_.changes();
    const std::vector<std::string> names = stores_.names();
    bool good = true;
    for (std::size_t i = 0; i < names.size(); i++)
        good = save_store(i, names[i]) && good;
    if (good) complaint_.clear();
    if (good) saved_changes_ = changes;
    return good;
}

bool StateDirectory::start(unsigned interval_s) {
    if (!directory_) return true;
    // Signals are for the main thread.
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, SIGSYS); // a forbidden system call comes to the thread that tried it
    pthread_sigmask(SIG_SETMASK, &all, &old);
    try {
        thread_ = std::thread(&StateDirectory::run, this, interval_s);
    } catch (const std::system_error& e) {
        log::error("state: no thread to write with (%s), it is written at the end only", e.what());
    }
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
    return thread_.joinable();
}

void StateDirectory::run(unsigned interval_s) {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, std::chrono::seconds(interval_s), [this] { return stopping_; })) {
        lock.unlock();
        save();
        lock.lock();
    }
}

bool StateDirectory::somebody_is_writing() const {
    return std::any_of(files_.begin(), files_.end(),
                       [](const auto& entry) { return entry.second.changing != 0; });
}

void StateDirectory::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
    if (!directory_) return;
    save();
    if (somebody_is_writing()) { // by now there may be a whole file
        std::this_thread::sleep_for(last_wait);
        save();
    }
    for (const auto& [name, file] : files_)
        if (file.changing != 0)
            log::error("state: %s/%s is being written by another program, what was learnt since "
                       "it began is not kept",
                       path_.c_str(), file_of(name).c_str());
    directory_.reset();
    lock_.reset();
}

} // namespace nfqws2::store
