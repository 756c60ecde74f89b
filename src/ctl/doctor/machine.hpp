// What checks see of the machine: files and the output of programs with fixed arguments, both
// bounded. Tests put their own in its place.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace nfqws2::ctl {

struct Output {
    bool ran = false; // it was there and ended by itself in time
    int code = -1;
    std::string text; // of standard output
    bool good() const { return ran && code == 0; }
};

class Machine {
  public:
    virtual ~Machine() = default;
    virtual std::optional<std::string> read(const std::string& path) const = 0;
    virtual std::vector<std::string> names_in(const std::string& folder) const = 0;
    virtual std::string target_of(const std::string& link) const = 0; // "" if it is none
    virtual Output run(const std::vector<std::string>& words,
                       const std::string& input = {}) const = 0;
    // As whoever wants to read one does: the kernel then loads what it needs for it.
    virtual void ask_for_queues() const = 0;

    // The first line; "" if there is no such file.
    std::string line(const std::string& path) const;
};

class ThisMachine final : public Machine {
  public:
    std::optional<std::string> read(const std::string& path) const override;
    std::vector<std::string> names_in(const std::string& folder) const override;
    std::string target_of(const std::string& link) const override;
    Output run(const std::vector<std::string>& words, const std::string& input) const override;
    void ask_for_queues() const override;
};

} // namespace nfqws2::ctl
