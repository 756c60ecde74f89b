// Which strategies to try next: those of all test scripts, by their chances.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::probe {

// The mechanisms of a strategy: the functions that it calls, each with the kind of fooling that
// keeps its packets from the server ("fake/tcp_md5", "multisplit~seqovl").
std::vector<std::string> mechanisms_of(const std::vector<std::string>& words);

class Pool {
  public:
    // What earlier protocols taught: MECHANISM WORKED FAILED.
    void learned(std::string_view line);
    // What was tried: SHARE TAB KEY, the share of good attempts, or "-" for what cannot be tried
    // now.
    void tried(std::string_view line);
    // A strategy: SCRIPT TAB KEY. Only the first of several with the same key counts. After all of
    // the above.
    void add(std::string line);

    // The next ones, as they were added. They count as failed then, so that a round has different
    // ones.
    std::vector<std::string> pick(std::size_t count);
    // For the next protocol, in the form that learned() takes.
    std::string lesson() const;

  private:
    struct Tries {
        double worked = 0;
        double failed = 0;
    };
    // Strategies with the same mechanisms. What loads something is slower, and has families of its
    // own.
    struct Family {
        std::vector<std::string> mechanisms;
        bool loads = false;
        std::vector<std::string> lines;
        std::vector<bool> gone;
        std::size_t taken = 0;
    };

    double share(const std::string& mechanism) const;
    double chance(const Family& family) const;
    void note(const Family& family, double good);
    Family& family_of(std::string_view key);
    Family* best(bool loading);

    std::map<std::string, Tries, std::less<>> tries_;
    std::map<std::string, double, std::less<>> results_; // of keys; below 0: not now
    std::map<std::string, std::size_t, std::less<>> numbers_;
    std::map<std::string, bool, std::less<>> seen_;
    std::vector<Family> families_;
};

} // namespace nfqws2::probe
