// The functions of libpcap that read and write capture files. The library brings seven others: it
// is loaded when a capture file is opened, and those who have none save 1,000 kB.
#pragma once

#include <pcap/pcap.h>

namespace nfqws2::capture {

// Each FUNCTION is pcap_FUNCTION of the library.
#define NFQWS2_PCAP_FUNCTIONS(FUNCTION)                                                            \
    FUNCTION(close)                                                                                \
    FUNCTION(datalink)                                                                             \
    FUNCTION(datalink_val_to_name)                                                                 \
    FUNCTION(dump)                                                                                 \
    FUNCTION(dump_close)                                                                           \
    FUNCTION(dump_file)                                                                            \
    FUNCTION(dump_flush)                                                                           \
    FUNCTION(dump_fopen)                                                                           \
    FUNCTION(fopen_offline_with_tstamp_precision)                                                  \
    FUNCTION(geterr)                                                                               \
    FUNCTION(lib_version)                                                                          \
    FUNCTION(next_ex)                                                                              \
    FUNCTION(open_dead_with_tstamp_precision)

class PcapLibrary {
  public:
    PcapLibrary();
    bool is_there() const { return is_there_; } // otherwise no function may be called

// NOLINTNEXTLINE(bugprone-macro-parentheses): of a declaration
#define NFQWS2_MEMBER(name) decltype(&::pcap_##name) name = nullptr;
    NFQWS2_PCAP_FUNCTIONS(NFQWS2_MEMBER)
#undef NFQWS2_MEMBER

  private:
    bool is_there_ = true;
};

// Loaded by the first call.
const PcapLibrary& libpcap();

inline constexpr const char* libpcap_is_missing =
    "the library libpcap (libpcap.so.0.8 or libpcap.so.1) is not installed";

} // namespace nfqws2::capture
