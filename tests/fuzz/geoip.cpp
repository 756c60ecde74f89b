// MaxMind databases: damaged ones give no place, and no harm.
#include "nfqws2/rules/state/geoip.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <string>

using namespace nfqws2;
using namespace nfqws2::rules;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    FileDescriptor file(memfd_create("geoip", MFD_CLOEXEC));
    if (write(file.get(), raw, size) != static_cast<ssize_t>(size)) return 0;
    GeoDatabases databases;
    std::string error;
    if (!databases.add("database", &error, std::move(file))) return 0;
    for (const char* text : {"10.0.0.1", "192.0.2.77", "203.0.113.1", "::", "2001:db8::1"})
        databases.find(IpAddress::parse(text).value());
    return 0;
}
