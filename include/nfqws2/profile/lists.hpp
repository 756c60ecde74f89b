// Host lists and ip sets: compact, read-only after load, shared by real path, replaced as a whole
// on reload (docs/contracts/lists.md, goals in docs/contracts/goals.md#lists).
#pragma once

#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/profile/host_table.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::profile {

class HostList {
  public:
    virtual ~HostList() = default;
    virtual bool empty() const = 0;
    virtual bool contains(const HostName& host) const = 0;
    virtual const std::string& file() const = 0; // "" for the anonymous list
    // The entry that makes contains() true, in file syntax; "" if none. For traces and --explain.
    virtual std::string matching_entry(const HostName& host) const;
};
class NetList {
  public:
    virtual ~NetList() = default;
    virtual bool empty() const = 0;
    virtual bool contains(const IpAddress& address) const = 0;
    virtual const std::string& file() const = 0;
    // The widest network of the list around the address, as CIDR; "" if none.
    virtual std::string matching_entry(const IpAddress& address) const;
    // All of the given IP version as CIDR, in order of address, none within another.
    virtual std::vector<std::string> networks(unsigned version) const;
};

// Name of a list in messages: its file, or "fixed" for an anonymous one.
std::string_view label(const HostList& list);
std::string_view label(const NetList& list);

// What a profile refers to; the same list twice is stored once.
class HostCollection {
  public:
    void add(std::shared_ptr<HostList> list);
    bool empty() const; // no list, or all lists empty
    bool any_list() const { return !lists_.empty(); }
    const HostList* find(const HostName& host) const; // list that contains it
    const std::vector<std::shared_ptr<HostList>>& lists() const { return lists_; }

  private:
    std::vector<std::shared_ptr<HostList>> lists_;
};
class NetCollection {
  public:
    void add(std::shared_ptr<NetList> list);
    bool empty() const;
    bool any_list() const { return !lists_.empty(); }
    const NetList* find(const IpAddress& address) const;
    const std::vector<std::shared_ptr<NetList>>& lists() const { return lists_; }

  private:
    std::vector<std::shared_ptr<NetList>> lists_;
};

} // namespace nfqws2::profile
