#include "nfqws2/profile/lists.hpp"

#include <algorithm>

namespace nfqws2::profile {

namespace {

template <typename List>
void add_once(std::vector<std::shared_ptr<List>>& lists, std::shared_ptr<List> list) {
    if (list && std::find(lists.begin(), lists.end(), list) == lists.end())
        lists.push_back(std::move(list));
}

template <typename List> bool all_empty(const std::vector<std::shared_ptr<List>>& lists) {
    return std::all_of(lists.begin(), lists.end(), [](const auto& list) { return list->empty(); });
}

template <typename List> std::string_view label_of(const List& list) {
    return list.file().empty() ? std::string_view("fixed") : std::string_view(list.file());
}

} // namespace

std::string HostList::matching_entry(const HostName&) const {
    return {};
}

std::string NetList::matching_entry(const IpAddress&) const {
    return {};
}

std::vector<std::string> NetList::networks(unsigned) const {
    return {};
}

std::string_view label(const HostList& list) {
    return label_of(list);
}

std::string_view label(const NetList& list) {
    return label_of(list);
}

void HostCollection::add(std::shared_ptr<HostList> list) {
    add_once(lists_, std::move(list));
}

bool HostCollection::empty() const {
    return all_empty(lists_);
}

const HostList* HostCollection::find(const HostName& host) const {
    for (const auto& list : lists_)
        if (list->contains(host)) return list.get();
    return nullptr;
}

void NetCollection::add(std::shared_ptr<NetList> list) {
    add_once(lists_, std::move(list));
}

bool NetCollection::empty() const {
    return all_empty(lists_);
}

const NetList* NetCollection::find(const IpAddress& address) const {
    for (const auto& list : lists_)
        if (list->contains(address)) return list.get();
    return nullptr;
}

} // namespace nfqws2::profile
