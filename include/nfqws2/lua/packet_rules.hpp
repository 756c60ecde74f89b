// What rules of --rules have said of the packet on its way, found out when a script wants it. The
// engine implements it; without --rules there is none.
#pragma once

namespace nfqws2::rules {
struct Account;
}

namespace nfqws2::lua {

class PacketRules {
  public:
    virtual ~PacketRules() = default;
    virtual const rules::Account& account() = 0; // good as long as the packet is on its way
};

} // namespace nfqws2::lua
