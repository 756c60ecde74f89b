// Keeps the stores over restarts: a directory with a file for each, `NAME.tsv`, which people may
// read, edit and merge.
#pragma once

#include "nfqws2/base/file.hpp"
#include "nfqws2/store/stores.hpp"

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <vector>

namespace nfqws2::store {

class StateDirectory {
  public:
    explicit StateDirectory(Stores& stores) : stores_(stores) {}
    ~StateDirectory(); // as stop()
    StateDirectory(const StateDirectory&) = delete;
    StateDirectory& operator=(const StateDirectory&) = delete;

    // Takes the directory for this process, and looks which files are there. It has to belong to
    // the user of the process. False: logged, and the stores live in memory only.
    bool open(const std::string& path);
    // Reads them. Apart from open(), since what others have written is read behind the fence, where
    // directories cannot be listed any more.
    void load();

    // From now on a thread writes what has changed, every `interval_s` seconds at most. Without it
    // only stop() writes. False: logged.
    bool start(unsigned interval_s);
    void stop(); // writes a last time

    // Merges what others have written, then writes what has changed. False: not everything is
    // written, since somebody is writing a file at the moment, or logged, once per reason.
    bool save();

  private:
    using Contents = std::map<std::string, RecordPointer, std::less<>>;
    // What a file has: records, and lines that are none, such as mistyped ones.
    struct Text {
        Contents records;
        std::vector<std::string> strange;
        std::size_t first_strange = 0; // number of its line
        bool ours = true;              // false: another beginning
        bool too_strange = false;      // too many strange lines, not all are here
    };
    struct Signature {
        ino_t inode = 0;
        off_t size = -1; // none
        std::int64_t modified_ns = 0;
        bool operator==(const Signature&) const = default;
    };
    // What is known of the file of a store.
    struct File {
        Signature signature;   // as we have left it
        Signature seen;        // at the last look
        unsigned changing = 0; // looks at which it was another than before
        Contents written;
        std::vector<std::string> strange; // carried along
        bool anew = false;                // it has to be written whatever has changed
    };
    // What a look at a file has come to.
    enum class Look : std::uint8_t {
        same,  // as we know it
        other, // somebody has written it, and is ready
        later, // somebody is at it, or it cannot be looked at; it must not be replaced
    };

    bool save_store(std::size_t store, const std::string& name);
    void load_store(std::size_t store, const std::string& name);
    Look look(const std::string& name, File& file);
    bool take_file(std::size_t store, const std::string& name, File& file); // that of the last look
    void add_records(std::size_t store, const Contents& found, const File& file);
    void merge(std::size_t store, const Text& text, File& file);
    void remember(std::size_t store, const Contents& found, File& file);
    static Text parse(std::string_view text);
    bool is_as_seen(const std::string& name, File& file);
    bool write(const std::string& name, const Contents& contents, File& file);
    std::optional<Text> read(const std::string& name);
    bool set_aside(const std::string& name, const Text& text);
    static Signature signature_of(const struct stat& info);
    // That of no file if there is none; nullopt: nobody can tell, which was told.
    std::optional<Signature> signature_of(const std::string& name);
    bool complain(const std::string& what, int errno_value);
    bool somebody_is_writing() const;
    void run(unsigned interval_s);

    Stores& stores_;
    std::string path_;
    FileDescriptor directory_, lock_;
    std::vector<std::string> found_;    // names of stores with a file, until load()
    std::map<std::string, File> files_; // by name of the store
    std::uint64_t saved_changes_ = 0;
    std::string complaint_; // the last one, told once
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread thread_;
};

} // namespace nfqws2::store
