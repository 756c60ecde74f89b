// Theory of operation.
//
// All lists are read once at start, in the calling thread. After that poll(), called on the packet
// path, compares the signature of each file with that of the contents in memory, each file at most
// once per second and a bounded number per call. A changed file that is small and not compressed is
// read at once, in less time than a packet may be delayed; any other is read by BackgroundLoader,
// and a later poll() swaps the finished table in. Tables are only touched by the thread that calls
// poll(); the loader builds new ones without looking at the old.
//
// With several workers one of them at a time does all this, under `duty`; it takes the ListLock
// only to swap contents, so that look-ups of the others go on while it reads a file.
//
// The contents in memory stay as they are while the file is missing, cannot be read, or is damaged
// (reported once per state of the file), and until an emptied file has stayed empty for a second:
// an empty list means "no condition", which must not happen while a script rewrites the file.
#include "nfqws2/profile/list_store.hpp"

#include "append_file.hpp"
#include "background_loader.hpp"
#include "nfqws2/base/file.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/base/output_file.hpp"
#include "nfqws2/profile/list_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

namespace nfqws2::profile {

namespace {

constexpr std::int64_t check_interval_ns = 1'000'000'000;
constexpr std::int64_t retry_interval_ns = 10'000'000'000;
constexpr std::size_t checks_per_poll = 64;
constexpr std::uint64_t small_file = 32 * 1024;
constexpr int auto_file_flags = O_RDWR | O_APPEND;

// It stays what it was.
void miss(ListFile& file, int errno_value) {
    file.watch.missing = true;
    file.watch.failure = std::strerror(errno_value);
    log::os_error("stat", errno_value);
    log::error("cannot access %s file '%s'. in-memory content remains unchanged.", file.kind(),
               file.path().c_str());
}

// The rights of the file allow it and yet it was refused: a rule of the sandbox has died with the
// directory it was for.
void log_remedy(const std::string& path, int mode) {
    const std::string directory = path.substr(0, path.rfind('/') + 1);
    if (access(path.c_str(), mode) == 0 ||
        (errno == ENOENT && access(directory.c_str(), mode | X_OK) == 0))
        log::error(
            "the sandbox does not reach '%s' any more, its directory was made anew: restart, "
            "or give --lua-allow=<a directory above it that stays>",
            path.c_str());
}

void log_status(const LoadedList& result) {
    for (const std::string& line : result.status)
        log::status_text(line);
}

void log_failure(const LoadJob& job) {
    log_status(job.result);
    log::error_text(job.result.error);
    log::error("cannot %s %s file '%s'. in-memory content remains unchanged.",
               job.result.opened ? "load" : "access", job.file->kind(), job.file->path().c_str());
    if (!job.result.opened) log_remedy(job.file->path(), R_OK);
}

std::string no_access(const char* kind, const std::string& path) {
    return std::string("cannot access ") + kind + " file '" + path + "' (" + std::strerror(errno) +
           ")\nfailed to register " + kind + " '" + path + "'";
}

std::string cannot_create(const std::string& path, const OutputFile& output) {
    return "cannot create " + path + " (" + output.error + ")";
}

void open_list(ListFile& file) {
    if (!file.opened) file.opened.reset(open(file.path().c_str(), O_RDONLY | O_CLOEXEC));
}

// What a pipe gives is there only once, and /dev/fd is closed to who has given up privileges.
void open_if_special(ListFile& file) {
    struct stat st {};
    if (stat(file.path().c_str(), &st) == 0 && !S_ISREG(st.st_mode)) open_list(file);
}

// Existing file as its real path; else errno tells why not.
std::optional<std::string> existing_path(const std::string& path) {
    struct stat st {};
    if (stat(path.c_str(), &st) < 0) return std::nullopt;
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return std::nullopt;
    }
    return absolute_path(path);
}

} // namespace

struct ListStore::Impl {
    explicit Impl(Clock& the_clock) : clock(the_clock) {}

    template <typename File>
    static std::shared_ptr<File> find(const std::vector<std::shared_ptr<File>>& files,
                                      const std::string& path) {
        for (const auto& file : files)
            if (file->path() == path) return file;
        return nullptr;
    }
    template <typename File>
    static std::shared_ptr<File> registered(std::vector<std::shared_ptr<File>>& files,
                                            const std::string& path) {
        if (auto file = find(files, path)) return file;
        files.push_back(std::make_shared<File>(path));
        return files.back();
    }
    // An automatic list that is not there because nothing shall be made. Keeps errno.
    std::shared_ptr<HostListFile> stand_in(const std::string& path) const {
        const int saved_errno = errno;
        auto file = find(hosts, find_output_place(path, LastLink::follow).path);
        errno = saved_errno;
        return file != nullptr && file->opened ? file : nullptr;
    }
    std::shared_ptr<ListFile> file_at(std::size_t index) const {
        if (index < hosts.size()) return hosts[index];
        return nets[index - hosts.size()];
    }
    std::size_t count() const { return hosts.size() + nets.size(); }

    template <typename File>
    bool load_now(const std::vector<std::shared_ptr<File>>& files, std::string* culprit);
    void check(const std::shared_ptr<ListFile>& file, std::int64_t now);
    void start_load(const std::shared_ptr<ListFile>& file, const Signature& signature, bool forced);
    void reload(const std::shared_ptr<ListFile>& file);
    bool complete(LoadJob& job);
    void complete_finished();
    void tell_memory();
    void install(ListFile& file, LoadedList& loaded, std::uint64_t generation);
    bool write_additions(HostListFile& list);
    void retry_additions(std::int64_t now);

    std::unique_lock<std::mutex> take_duty() {
        return contents.shared() ? std::unique_lock(duty) : std::unique_lock<std::mutex>();
    }

    Clock& clock;
    ListLock contents;
    std::mutex duty;
    std::vector<std::shared_ptr<HostListFile>> hosts;
    std::vector<std::shared_ptr<NetListFile>> nets;
    // Of a reload: those of the running store, which nobody else may change.
    std::vector<std::shared_ptr<HostListFile>> running_hosts;
    std::vector<std::shared_ptr<NetListFile>> running_nets;
    bool of_reload = false;
    std::optional<MemoryShare> memory_share;
    std::vector<OutputFile> to_give; // automatic lists, until they are the daemon's
    std::size_t next_check = 0;      // index of the file to check next in this round
    std::int64_t next_round_ns = 0;
    std::atomic<std::int64_t> next_look_ns{0}; // before this poll() has nothing to check
    std::int64_t next_write_ns = 0; // when additions that could not be written are tried again
    bool write_failed = false;      // reported
    bool warnings_kept = false;
    bool only_tested = false;
    BackgroundLoader loader;
};

ListStore::ListStore(Clock& clock) : impl_(std::make_unique<Impl>(clock)) {
}

ListStore::ListStore(Clock& clock, const ListStore& running) : ListStore(clock) {
    const auto duty = running.impl_->take_duty();
    impl_->of_reload = true;
    impl_->running_hosts = running.impl_->hosts;
    impl_->running_nets = running.impl_->nets;
}

ListStore::~ListStore() = default;

std::shared_ptr<HostList> ListStore::host_file(const std::string& path, std::string* error) {
    const auto real = existing_path(path);
    if (!real) {
        if (auto stand_in = impl_->stand_in(path)) return stand_in;
        *error = no_access("hostlist", path);
        return nullptr;
    }
    if (auto running = Impl::find(impl_->running_hosts, *real)) return running;
    auto file = Impl::registered(impl_->hosts, *real);
    open_if_special(*file);
    return file;
}

std::shared_ptr<NetList> ListStore::net_file(const std::string& path, std::string* error) {
    const auto real = existing_path(path);
    if (!real) {
        *error = no_access("ipset", path);
        return nullptr;
    }
    if (auto running = Impl::find(impl_->running_nets, *real)) return running;
    auto file = Impl::registered(impl_->nets, *real);
    open_if_special(*file);
    return file;
}

std::shared_ptr<HostList> ListStore::auto_host_file(const std::string& path, std::string* error) {
    if (const auto real = existing_path(path)) {
        const auto running = Impl::find(impl_->running_hosts, *real);
        if (running != nullptr && running->automatic()) return running;
        if (running != nullptr) {
            *error = "'" + path + "' becomes an automatic list: a restart is needed";
            return nullptr;
        }
    }
    OutputFile output = impl_->of_reload ? look_at_output_file(path, auto_file_flags)
                                         : open_output_file(path, auto_file_flags);
    if (!output) {
        *error = cannot_create(path, output);
        return nullptr;
    }
    if (is_gzip_file(output.file.get())) {
        *error = "gzipped auto hostlists are not supported";
        return nullptr;
    }
    auto file = Impl::registered(impl_->hosts, output.path);
    file->set_automatic();
    struct stat st {}; // a stand-in is read as it is, it has no name
    if (fstat(output.file.get(), &st) == 0 && S_ISCHR(st.st_mode))
        file->opened.reset(fcntl(output.file.get(), F_DUPFD_CLOEXEC, 3));
    if (!impl_->of_reload) impl_->to_give.push_back(std::move(output));
    return file;
}

bool ListStore::make_auto_files(std::string* error) {
    for (const auto& file : impl_->hosts) {
        if (!file->automatic()) continue;
        const OutputFile output = open_output_file(file->path(), auto_file_flags);
        if (!output) {
            *error = cannot_create(file->path(), output);
            return false;
        }
        // What is as empty as what stood for it is not read again.
        const auto signature = read_signature(output.file.get());
        std::optional<Signature>& loaded = file->watch.loaded;
        if (loaded && loaded->endless && signature && signature->size == 0) loaded = signature;
    }
    return true;
}

std::shared_ptr<HostList> ListStore::anonymous_hosts() {
    return std::make_shared<FixedHostList>();
}

std::shared_ptr<NetList> ListStore::anonymous_nets() {
    return std::make_shared<FixedNetList>();
}

void ListStore::keep_warnings() {
    impl_->warnings_kept = true;
}

void ListStore::only_test() {
    impl_->only_tested = true;
}

void ListStore::add_domains(HostList& list, std::string_view items) {
    if (auto* fixed = dynamic_cast<FixedHostList*>(&list)) fixed->add(items);
}

std::string ListStore::add_networks(NetList& list, std::string_view items) {
    auto* fixed = dynamic_cast<FixedNetList*>(&list);
    return fixed != nullptr ? fixed->add(items) : std::string();
}

bool ListStore::test_access(std::string* culprit) const {
    for (std::size_t i = 0; i < impl_->count(); ++i) {
        const auto file = impl_->file_at(i);
        int errno_value = 0;
        if (file->opened || can_read(file->path(), &errno_value)) continue;
        log::os_error("file_open_test", errno_value);
        log::error("cannot access %s file '%s'", file->kind(), file->path().c_str());
        if (culprit != nullptr) *culprit = file->path();
        return false;
    }
    return true;
}

void ListStore::open_all() {
    for (std::size_t i = 0; i < impl_->count(); ++i)
        open_list(*impl_->file_at(i));
}

bool ListStore::load_all(std::string* culprit) {
    if (!impl_->load_now(impl_->hosts, culprit)) {
        log::error("hostlists load failed");
        return false;
    }
    if (!impl_->load_now(impl_->nets, culprit)) {
        log::error("ipset load failed");
        return false;
    }
    impl_->next_round_ns = impl_->clock.boot_ns() + check_interval_ns;
    impl_->next_check = impl_->count();
    impl_->next_look_ns = impl_->next_round_ns;
    return true;
}

template <typename File>
bool ListStore::Impl::load_now(const std::vector<std::shared_ptr<File>>& files,
                               std::string* culprit) {
    for (const auto& file : files) {
        const auto signature =
            file->opened ? read_signature(file->opened.get()) : read_signature(file->path());
        if (!signature) {
            miss(*file, errno);
            continue;
        }
        LoadJob job{file, *signature, file->generation(), true, {}, std::move(file->opened)};
        run_load(job);
        if (complete(job)) continue;
        if (culprit != nullptr) *culprit = file->path();
        return false;
    }
    return true;
}

void ListStore::share(unsigned workers) {
    impl_->contents.share(workers);
}

const ListLock& ListStore::contents() const {
    return impl_->contents;
}

void ListStore::poll() {
    const std::int64_t now = impl_->clock.boot_ns();
    if (now < impl_->next_look_ns.load(std::memory_order_relaxed) && !impl_->loader.has_finished())
        return;
    std::unique_lock<std::mutex> duty;
    if (impl_->contents.shared()) {
        duty = std::unique_lock(impl_->duty, std::try_to_lock);
        if (!duty) return;
    }
    if (impl_->loader.has_finished()) impl_->complete_finished();
    if (impl_->next_check >= impl_->count()) {
        if (now < impl_->next_round_ns) return;
        impl_->next_round_ns = now + check_interval_ns;
        impl_->next_check = 0;
        impl_->retry_additions(now);
    }
    const std::size_t last = std::min(impl_->count(), impl_->next_check + checks_per_poll);
    while (impl_->next_check < last)
        impl_->check(impl_->file_at(impl_->next_check++), now);
    const bool all = impl_->next_check >= impl_->count();
    impl_->next_look_ns.store(all ? impl_->next_round_ns : 0, std::memory_order_relaxed);
}

void ListStore::Impl::check(const std::shared_ptr<ListFile>& file, std::int64_t now) {
    ListFile::Watch& watch = file->watch;
    if (watch.loading) return;
    const auto signature = read_signature(file->path());
    if (!signature) {
        if (!watch.missing) miss(*file, errno);
        return;
    }
    watch.missing = false;
    if (signature == watch.loaded) {
        watch.failure.clear();
        watch.emptied.reset();
        return;
    }
    if (signature == watch.failed && now < watch.retry_ns) return;
    if (signature == watch.emptied) {
        log::error("%s file '%s' is empty now: it is no condition any more", file->kind(),
                   file->path().c_str());
        LoadedList nothing;
        install(*file, nothing, file->generation());
        loader.discard(std::move(nothing));
        watch.loaded = signature;
        watch.emptied.reset();
        return;
    }
    start_load(file, *signature, false);
}

void ListStore::Impl::start_load(const std::shared_ptr<ListFile>& file, const Signature& signature,
                                 bool forced) {
    LoadJob job{file, signature, file->generation(), forced, {}, {}};
    if (signature.endless) { // packets are waiting
        job.result.error = file->path() + ": not a regular file";
        complete(job);
        return;
    }
    const bool quick = signature.size <= small_file && !is_gzip_file(file->path());
    if (!quick) {
        file->watch.loading = loader.submit(job);
        if (file->watch.loading) return;
    }
    run_load(job);
    complete(job);
}

// Takes over what a load gave. False if the file is damaged; the old contents then stay.
bool ListStore::Impl::complete(LoadJob& job) {
    ListFile& file = *job.file;
    ListFile::Watch& watch = file.watch;
    const LoadedList& result = job.result;
    watch.loading = false;
    if (!result.ok) {
        if (watch.failed != job.signature) log_failure(job);
        watch.failed = job.signature;
        watch.failure = result.error;
        watch.retry_ns = clock.boot_ns() + retry_interval_ns;
        return !result.opened;
    }
    log_status(result);
    if (!warnings_kept)
        for (const std::string& line : result.warnings)
            log::error_text(line);
    file.warnings = result.warnings;
    watch.failed.reset();
    watch.failure.clear();
    if (only_tested) return true;
    if (!job.forced && result.empty() && file.has_entries()) {
        watch.emptied = job.signature;
        return true;
    }
    install(file, job.result, job.generation);
    loader.discard(std::move(job.result));
    watch.loaded = job.signature;
    watch.emptied.reset();
    return true;
}

void ListStore::Impl::install(ListFile& file, LoadedList& loaded, std::uint64_t generation) {
    {
        const auto locks = contents.writing();
        file.install(loaded, generation);
    }
    tell_memory();
}

void ListStore::Impl::tell_memory() {
    if (!memory_share) return;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count(); i++)
        bytes += file_at(i)->memory();
    memory_share->set(bytes);
}

void ListStore::count_in(MemoryBudget* budget) {
    impl_->memory_share.reset();
    if (budget == nullptr) return;
    impl_->memory_share.emplace(budget, MemoryBudget::Part::lists);
    impl_->tell_memory();
}

void ListStore::take_over(ListStore& of_reload) {
    {
        const auto duty = impl_->take_duty();
        for (auto& file : of_reload.impl_->hosts)
            impl_->hosts.push_back(std::move(file));
        for (auto& file : of_reload.impl_->nets)
            impl_->nets.push_back(std::move(file));
        impl_->tell_memory();
    }
    of_reload.impl_->hosts.clear();
    of_reload.impl_->nets.clear();
}

std::vector<std::shared_ptr<void>> ListStore::take_unused() {
    std::vector<std::shared_ptr<void>> unused;
    const auto duty = impl_->take_duty();
    const auto take = [&unused](auto& files, const auto& busy) {
        std::erase_if(files, [&](auto& file) {
            if (file.use_count() != 1 || file->watch.loading || busy(*file)) return false;
            unused.push_back(std::move(file));
            return true;
        });
    };
    take(impl_->hosts, [](const HostListFile& list) { return list.has_unwritten(); });
    take(impl_->nets, [](const NetListFile&) { return false; });
    impl_->tell_memory();
    return unused;
}

void ListStore::Impl::complete_finished() {
    for (LoadJob& job : loader.take_finished()) {
        complete(job);
        if (std::exchange(job.file->watch.again, false)) reload(job.file);
    }
}

void ListStore::Impl::reload(const std::shared_ptr<ListFile>& file) {
    if (file->watch.loading) { // what is being read may be older than the request
        file->watch.again = true;
        return;
    }
    file->watch = {};
    if (const auto signature = read_signature(file->path())) {
        start_load(file, *signature, true);
    } else {
        miss(*file, errno);
    }
}

void ListStore::request_reload() {
    const auto duty = impl_->take_duty();
    for (std::size_t i = 0; i < impl_->count(); ++i)
        impl_->reload(impl_->file_at(i));
}

bool ListStore::loading() const {
    const auto duty = impl_->take_duty();
    for (std::size_t i = 0; i < impl_->count(); ++i)
        if (impl_->file_at(i)->watch.loading) return true;
    return false;
}

std::size_t ListStore::count() const {
    return impl_->count();
}

std::vector<ListState> ListStore::states() const {
    const auto duty = impl_->take_duty();
    std::vector<ListState> states;
    for (std::size_t i = 0; i < impl_->count(); ++i) {
        const auto file = impl_->file_at(i);
        const ListFile::Watch& watch = file->watch;
        ListState state;
        state.file = file->path();
        state.hosts = i < impl_->hosts.size();
        state.automatic = state.hosts && impl_->hosts[i]->automatic();
        state.entries = file->entries();
        state.memory = file->memory();
        state.loaded = watch.loaded.has_value();
        if (watch.loaded) {
            state.size = watch.loaded->size;
            state.modified_ns = watch.loaded->mtime_ns;
        }
        state.loading = watch.loading;
        state.failure = watch.failure;
        state.warnings = file->warnings;
        states.push_back(std::move(state));
    }
    return states;
}

std::unique_lock<std::mutex> ListStore::hold_still() const {
    return impl_->take_duty();
}

void ListStore::wait_for_loads() {
    const auto duty = impl_->take_duty();
    do {
        impl_->loader.wait();
        impl_->complete_finished();
    } while (impl_->loader.busy());
}

std::size_t ListStore::entries(const HostList& list) const {
    const auto* file = dynamic_cast<const HostListFile*>(&list);
    if (file == nullptr) return 0;
    const auto duty = impl_->take_duty();
    return file->entries();
}

bool ListStore::append_host(HostList& list, std::string_view host) {
    auto* file = dynamic_cast<HostListFile*>(&list);
    if (file == nullptr || !is_safe_entry(host)) return false;
    const auto duty = impl_->take_duty();
    {
        const auto locks = impl_->contents.writing();
        file->add(host);
    }
    impl_->tell_memory();
    return impl_->write_additions(*file);
}

bool ListStore::Impl::write_additions(HostListFile& list) {
    const AppendResult result = append_lines(list.path(), list.unwritten());
    if (!result.ok) {
        next_write_ns = clock.boot_ns() + retry_interval_ns;
        if (!write_failed) {
            if (!result.busy) log::os_error("write", result.error);
            log::error("cannot write hostlist file '%s'%s. will be tried again.",
                       list.path().c_str(), result.busy ? ", it is locked" : "");
            if (result.error == EACCES) log_remedy(list.path(), W_OK);
        }
        write_failed = true;
        return false;
    }
    write_failed = false;
    list.set_written();
    // Nobody else changed the file: what is in memory is what is in the file.
    if (result.created || list.watch.loaded == result.before) list.watch.loaded = result.after;
    return true;
}

void ListStore::Impl::retry_additions(std::int64_t now) {
    if (now < next_write_ns) return;
    for (const auto& list : hosts)
        if (list->has_unwritten()) write_additions(*list);
}

void ListStore::give_auto_files(std::optional<unsigned> uid) {
    for (const OutputFile& file : impl_->to_give)
        if (uid && !give_output_file(file, *uid)) log::os_error("chown '" + file.path + "'", errno);
    impl_->to_give.clear();
}

std::vector<std::string> ListStore::auto_files() const {
    std::vector<std::string> files;
    for (const auto& file : impl_->hosts)
        if (file->automatic()) files.push_back(file->path());
    return files;
}

bool is_safe_entry(std::string_view host) {
    constexpr std::size_t longest_name = 255;
    if (host.empty() || host.size() > longest_name || host.front() == '.') return false;
    return std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '-' || c == '_' || c == ':';
    });
}

} // namespace nfqws2::profile
