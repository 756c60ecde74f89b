#include "nfqws2/protocol/name_hint.hpp"

#include "nfqws2/base/text.hpp"
#include "nfqws2/protocol/names.hpp"

#include <vector>

namespace nfqws2::protocol {

namespace {

using Names = std::vector<std::string_view>;

template <typename E> Names all_names() {
    Names names;
    for (unsigned i = 0; i < static_cast<unsigned>(E::count); i++)
        names.push_back(name(static_cast<E>(i)));
    return names;
}

std::string joined(const Names& names) {
    std::string text;
    for (const std::string_view name : names)
        text += (text.empty() ? "" : " ") + std::string(name);
    return text;
}

// `tls` for tls_client_hello, `dns` for dns_query.
Names beginning_with(const Names& names, std::string_view word) {
    Names found;
    const std::string start = ascii_lower(word) + '_';
    for (const std::string_view name : names)
        if (name.starts_with(start)) found.push_back(name);
    return found;
}

std::string hint(const Names& names, std::string_view bad, bool list_all) {
    if (bad.empty()) return " (a name is empty, names are separated by single commas)";
    const std::string unknown = " (unknown name '" + std::string(bad) + "'";
    const Names longer = beginning_with(names, bad);
    if (longer.size() > 1) return unknown + ", there are " + joined(longer) + ")";
    const std::string_view best = longer.empty() ? nearest(bad, names) : longer.front();
    if (!best.empty()) return unknown + ", did you mean '" + std::string(best) + "'?)";
    return unknown + (list_all ? ", there are " + joined(names) : "") + ")";
}

} // namespace

std::string l7_name_hint(std::string_view bad) {
    return hint(all_names<L7>(), bad, true);
}

std::string payload_name_hint(std::string_view bad) {
    return hint(all_names<Payload>(), bad, false);
}

} // namespace nfqws2::protocol
