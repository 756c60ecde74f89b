// A daemon and its rules by one option file. What was done is noted in files, so that it can be
// undone whatever became of the option file.
#pragma once

#include "doctor/machine.hpp"

#include <string>

namespace nfqws2::ctl {

class Instance {
  public:
    // `file`: its options; `folder`: where notes and sockets are; `program`: nfqws2.
    Instance(const Machine& machine, const std::string& file, std::string folder,
             std::string program);

    void check() const; // throws Failure with what is wrong with the options
    void start() const; // until the daemon reads its queue; throws Failure
    void stop() const;  // until it is gone; nothing if it does not run
    // False: other rules lead to its queue already, and nothing was done. *told: what the rules had
    // to do without. Throws Failure.
    bool set_rules(std::string* told) const;
    void remove_rules() const; // those that were set

    bool runs() const;
    bool has_rules() const; // some were set and not removed
    std::string socket() const { return folder_ + "/nfqws2-" + name_ + ".sock"; }

  private:
    std::string note(const char* what) const { return folder_ + "/up-" + name_ + what; }
    std::string options() const { return "@" + file_; }
    std::string printed(const char* format) const;
    long pid() const;

    const Machine& machine_;
    std::string file_, folder_, program_, name_;
};

} // namespace nfqws2::ctl
