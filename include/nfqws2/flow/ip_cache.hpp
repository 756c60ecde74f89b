// Remembered TTLs and host names of addresses (docs/contracts/flows.md#ip-cache). Keyed hash,
// records in order of last touch, so that expiry looks at the oldest only; bounded. Workers share
// one: clients of different workers meet the same servers.
#pragma once

#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/ip_address.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace nfqws2::flow {

struct IpCacheRecord {
    std::uint8_t ttl = 0;                  // 0 = unknown
    std::uint8_t held_retransmissions = 0; // of messages that were not complete
    std::string hostname;
    bool has_hostname = false;
    bool hostname_is_ip = false;
};

class IpCache {
  public:
    enum class Use : std::uint8_t { one_thread, shared };

    // lifetime 0 = for ever; `max_records` bounds memory (oldest go first).
    IpCache(std::uint32_t lifetime_s, Clock& clock, std::size_t max_records = 200'000,
            Use use = Use::one_thread);
    ~IpCache();

    // Copies a record to `found`; not touched by that.
    bool find(const IpAddress& address, std::string_view interface, IpCacheRecord& found) const;
    // Creates or touches. True if the stored value changed.
    bool set_ttl(const IpAddress& address, std::string_view interface, std::uint8_t ttl);
    bool set_hostname(const IpAddress& address, std::string_view name, bool is_ip);
    // One more; the number there are now, which is limited.
    std::uint8_t count_held_retransmission(const IpAddress& address);

    // Cheap; called for each packet. A shared cache needs no calls.
    void purge();
    std::size_t size() const;
    // SIGUSR2: one line per record, IPv4 first.
    void dump(const std::function<void(const std::string&)>& line) const;

  private:
    class Part;
    Part& part_of(const IpAddress& address) const;

    Use use_;
    std::size_t count_;
    std::unique_ptr<Part[]> parts_;
};

} // namespace nfqws2::flow
