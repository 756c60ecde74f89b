#if NFQWS2_HAVE_PCAP

#include "pcap_library.hpp"

#include "nfqws2/base/shared_library.hpp"

namespace nfqws2::capture {

PcapLibrary::PcapLibrary() {
#if NFQWS2_LOADS_PCAP
    const SharedLibrary library{"libpcap.so.0.8", "libpcap.so.1"}; // Debian's name, and all others'
#define NFQWS2_TAKE(function) is_there_ = library.take(function, "pcap_" #function) && is_there_;
#else
#define NFQWS2_TAKE(function) function = ::pcap_##function;
#endif
    NFQWS2_PCAP_FUNCTIONS(NFQWS2_TAKE)
#undef NFQWS2_TAKE
}

const PcapLibrary& libpcap() {
    static const PcapLibrary library;
    return library;
}

} // namespace nfqws2::capture

#endif
