// The lists behind HostList and NetList: a file with its current contents, or the fixed items of
// the command line. Reading a file is apart from installing what was read, so that the first can
// happen in another thread.
#pragma once

#include "nfqws2/base/file.hpp"
#include "nfqws2/profile/host_table.hpp"
#include "nfqws2/profile/lists.hpp"
#include "nfqws2/profile/net_table.hpp"

#include <sys/stat.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::profile {

// Tells whether a file is still the one that was read.
struct Signature {
    std::int64_t mtime_ns = 0;
    std::uint64_t size = 0, inode = 0, device = 0;
    bool endless = false; // a pipe or device: reading it may never come to an end
    bool operator==(const Signature&) const = default;
};
Signature make_signature(const struct stat& st);
std::optional<Signature> read_signature(const std::string& path); // errno is set on failure
std::optional<Signature> read_signature(int fd);

// What reading a file gave. Messages are logged by whoever installs it.
struct LoadedList {
    bool ok = false;
    bool opened = false;
    std::string error;
    std::vector<std::string> status, warnings;
    HostTable hosts;
    NetTable nets;
    bool empty() const { return hosts.empty() && nets.empty(); }
};

class ListFile {
  public:
    explicit ListFile(std::string path) : path_(std::move(path)) {}
    virtual ~ListFile() = default;
    ListFile(const ListFile&) = delete;
    ListFile& operator=(const ListFile&) = delete;

    const std::string& path() const { return path_; }
    virtual const char* kind() const = 0; // "hostlist", "ipset"

    // Any thread; throws std::bad_alloc only. `opened`: the file is open already.
    virtual LoadedList load(FileDescriptor opened = {}) const = 0;
    // Taken before a load starts and handed to install(), so that additions made meanwhile survive.
    virtual std::uint64_t generation() const { return 0; }
    // Swaps the contents: `loaded` holds the old ones afterwards.
    virtual void install(LoadedList& loaded, std::uint64_t generation) = 0;
    virtual bool has_entries() const = 0;
    virtual std::size_t entries() const = 0;
    virtual std::size_t memory() const = 0; // bytes, about

    // Change detection; the business of ListStore.
    struct Watch {
        std::optional<Signature> loaded;  // of the contents in memory
        std::optional<Signature> failed;  // could not be read; reported
        std::optional<Signature> emptied; // seen empty, waiting for it to stay so
        std::int64_t retry_ns = 0;        // not before this for `failed`
        bool missing = false;             // reported
        std::string failure;              // why its newest state was not read
        bool loading = false;             // in the background
        bool again = false;               // and once more after that
    };
    Watch watch;
    // has_entries(), for any thread: a reload looks at profiles while their lists are in use.
    std::atomic<bool> filled{false};
    std::vector<std::string> warnings; // of the last load
    FileDescriptor opened; // for the first load, because the process may not open it later

  private:
    std::string path_;
};

class HostListFile final : public HostList, public ListFile {
  public:
    using ListFile::ListFile;
    const char* kind() const override { return "hostlist"; }
    LoadedList load(FileDescriptor opened = {}) const override;
    std::uint64_t generation() const override { return generation_; }
    void install(LoadedList& loaded, std::uint64_t generation) override;
    bool has_entries() const override { return !table_.empty() || !added_.empty(); }
    std::size_t memory() const override {
        return table_.memory() + added_.size() * memory_of_added;
    }
    std::size_t entries() const override { return table_.size() + added_.size(); }

    bool empty() const override { return !automatic_ && !filled.load(std::memory_order_relaxed); }
    bool contains(const HostName& host) const override;
    std::string matching_entry(const HostName& host) const override;
    const std::string& file() const override { return path(); }

    // An automatic list never counts as empty (docs/contracts/lists.md#automatic-lists).
    bool automatic() const { return automatic_; }
    void set_automatic() { automatic_ = true; }

    // Additions at run time. They are part of the contents at once, and of the file when written.
    void add(std::string_view host);
    std::string unwritten() const; // one per line
    void set_written();
    bool has_unwritten() const { return unwritten_ != 0; }

  private:
    struct Added {
        std::uint64_t generation; // when it was written
        bool written;
    };
    static constexpr std::size_t memory_of_added = 128; // a node of the map with its name
    HostMatch find(std::string_view part, const HostName& host) const;

    HostTable table_;
    std::map<std::string, Added, std::less<>> added_;
    std::uint64_t generation_ = 0;
    std::size_t unwritten_ = 0;
    bool automatic_ = false;
};

class NetListFile final : public NetList, public ListFile {
  public:
    using ListFile::ListFile;
    const char* kind() const override { return "ipset"; }
    LoadedList load(FileDescriptor opened = {}) const override;
    void install(LoadedList& loaded, std::uint64_t generation) override;
    bool has_entries() const override { return !table_.empty(); }
    std::size_t entries() const override { return table_.size(); }
    std::size_t memory() const override { return table_.memory(); }

    bool empty() const override { return !filled.load(std::memory_order_relaxed); }
    bool contains(const IpAddress& address) const override { return table_.contains(address); }
    std::string matching_entry(const IpAddress& address) const override;
    std::vector<std::string> networks(unsigned version) const override;
    const std::string& file() const override { return path(); }

  private:
    NetTable table_;
};

// The anonymous lists: small, rebuilt when items are added.
class FixedHostList final : public HostList {
  public:
    void add(std::string_view items);
    // What of the last addition never matches and why.
    const std::string& flaws() const { return flaws_; }
    bool empty() const override { return table_.empty(); }
    bool contains(const HostName& host) const override;
    std::string matching_entry(const HostName& host) const override;
    const std::string& file() const override { return no_file_; }

  private:
    std::string items_, flaws_, no_file_;
    HostTable table_;
};

class FixedNetList final : public NetList {
  public:
    // Gives back what is no network, separated by commas.
    std::string add(std::string_view items);
    bool empty() const override { return table_.empty(); }
    bool contains(const IpAddress& address) const override { return table_.contains(address); }
    std::string matching_entry(const IpAddress& address) const override;
    std::vector<std::string> networks(unsigned version) const override;
    const std::string& file() const override { return no_file_; }

  private:
    std::string no_file_;
    std::vector<Network> networks_;
    NetTable table_;
};

} // namespace nfqws2::profile
