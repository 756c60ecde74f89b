// Files of prefix sets: what is accepted is found again, whatever stands beside it.
#include "nfqws2/rules/state/prefix_sets.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

using namespace nfqws2;
using namespace nfqws2::rules;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    FileDescriptor file(memfd_create("prefixes", MFD_CLOEXEC));
    if (write(file.get(), raw, size) != static_cast<ssize_t>(size)) return 0;
    lseek(file.get(), 0, SEEK_SET);
    PrefixSetsBuilder builder;
    const unsigned set = builder.add_set(true).value();
    const PrefixFileReport report = builder.add_file(set, "prefixes", std::move(file));
    if (report.complaints.size() > 3 || report.complaints.size() > report.bad_lines) std::abort();
    const std::string_view text(reinterpret_cast<const char*>(raw), size);
    const auto entry = PrefixEntry::parse(text);
    if (entry) builder.add(set, *entry);
    const auto view = builder.build();
    if (!entry) return 0;
    const PrefixSets::Class found = view->find(entry->prefix.address);
    if (!view->contains(found, set) || !view->value(found, set)) std::abort();
    return 0;
}
