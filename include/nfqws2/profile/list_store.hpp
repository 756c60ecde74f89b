// Owner of all lists of the process. One thread may use it, or several after share().
#pragma once

#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/memory_budget.hpp"
#include "nfqws2/profile/list_lock.hpp"
#include "nfqws2/profile/lists.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::profile {

// One list file as people see it.
struct ListState {
    std::string file;
    bool hosts = false; // else networks
    bool automatic = false;
    std::size_t entries = 0, memory = 0;
    std::uint64_t size = 0;       // of the file that is in memory
    std::int64_t modified_ns = 0; // likewise
    bool loaded = false, loading = false;
    std::string failure; // why the newest state of the file is not in memory, "" if it is
    std::vector<std::string> warnings;
};

class ListStore {
  public:
    explicit ListStore(Clock& clock);
    // For a reload, in a thread of its own: files that `running` has are shared with it, in the
    // state that they are in; others are its own until take_over().
    ListStore(Clock& clock, const ListStore& running);
    ~ListStore();
    ListStore(const ListStore&) = delete;
    ListStore& operator=(const ListStore&) = delete;

    // Registration (parse time). An existing list of the same real path is returned again. On
    // failure nullptr and *error.
    std::shared_ptr<HostList> host_file(const std::string& path, std::string* error);
    std::shared_ptr<NetList> net_file(const std::string& path, std::string* error);
    // Automatic host list: created if missing, for a reload by make_auto_files() only; gzip
    // refused.
    std::shared_ptr<HostList> auto_host_file(const std::string& path, std::string* error);
    std::shared_ptr<HostList> anonymous_hosts();
    std::shared_ptr<NetList> anonymous_nets();
    // Adds the items of a comma list to an anonymous list. What is no network is skipped and given
    // back.
    void add_domains(HostList& list, std::string_view items);
    std::string add_networks(NetList& list, std::string_view items);

    // Of a reload that has found nothing wrong: makes the automatic lists that are not there yet.
    bool make_auto_files(std::string* error);

    // Start-up: all files readable / loaded? Messages go to the log; false = exit 1, and *culprit
    // is the path of the file that failed.
    bool test_access(std::string* culprit = nullptr) const;
    bool load_all(std::string* culprit = nullptr);
    // Somebody else tells them (ListFile::warnings).
    void keep_warnings();
    // load_all() keeps nothing of what it reads: a daemon with the same lists may be running
    // beside, where there is memory for one.
    void only_test();
    // Opens all files for load_all(), when the privileges for that will be gone by then.
    void open_all();

    // From now on several workers look things up; who calls a list itself holds contents().
    void share(unsigned workers);
    const ListLock& contents() const;

    // Change detection (at most once per second and list; time is cached) and swap of finished
    // background loads. Cheap; called on the packet path before list look-ups.
    // With several workers the first to come does it, the others go on.
    void poll();
    void request_reload();     // SIGHUP: everything again, in the background
    bool loading() const;      // something is being read in the background
    std::size_t count() const; // of files
    std::vector<ListState> states() const;
    // While it is held nothing is swapped in, so that lists may be asked without more ado. Not
    // around calls of this class.
    std::unique_lock<std::mutex> hold_still() const;
    void wait_for_loads(); // tests, and SIGHUP in offline mode

    // Appends to the automatic list in memory and in its file (never glued to an unterminated
    // line, one O_APPEND write). False and a logged error if the file could not be written; poll()
    // tries again. False for anything that is no safe entry.
    bool append_host(HostList& list, std::string_view host);
    // How many there are in a list that can be appended to; else 0.
    std::size_t entries(const HostList& list) const;
    std::vector<std::string> auto_files() const;
    // From now on the budget is told what the files take in memory; nullptr: not any more.
    void count_in(MemoryBudget* budget);
    // Files of a reload's store become this one's.
    void take_over(ListStore& of_reload);
    // Lets go of the files that no profile refers to any more. What they held is in the result,
    // which should be destroyed where nobody waits.
    std::vector<std::shared_ptr<void>> take_unused();
    // Hands these files over to the user of the daemon, if there is one. Failures are logged.
    void give_auto_files(std::optional<unsigned> uid);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Consists of host name characters only, so that it can be written to a list. Names come from the
// network.
bool is_safe_entry(std::string_view host);

} // namespace nfqws2::profile
