// `data`: objects over bytes with named fields (docs/nflua.md#data). Theory of operation: an object
// either has its bytes behind it in the same userdata, or is a part of such a one, which it keeps,
// or shows bytes on loan: those of a packet, while the function that got it runs. A loan has a
// number; what was lent under an older one is empty. So nothing has to be freed and no finalizer
// runs. Bytes on loan are copied when somebody writes to them.
#pragma once

#include "nfqws2/lua/lua.hpp"

#include <cstdint>
#include <vector>

namespace nfqws2::lua {

class State;

// Bytes that belong to somebody else, for the time of a call.
class Loan {
  public:
    void begin(Bytes bytes) {
        lent_ = bytes;
        written_ = false;
    }
    void end() {
        lent_ = {};
        number_++;
    }
    std::uint64_t number() const { return number_; }
    Bytes bytes() const { return written_ ? Bytes(copy_) : lent_; }
    MutBytes writable() {
        if (!written_) copy_.assign(lent_.begin(), lent_.end());
        written_ = true;
        return copy_;
    }
    bool written() const { return written_; }
    // After end() too: what was written.
    const std::vector<std::uint8_t>& copy() const { return copy_; }

  private:
    Bytes lent_;
    std::vector<std::uint8_t> copy_;
    std::uint64_t number_ = 1;
    bool written_ = false;
};

// Makes the class of the objects, once; kept in the registry.
void open_data(State& state);
// Pushes the module: new, layout.
void push_data_module(State& state);
// Pushes an object over all of the loan.
void push_loan(lua_State* L, Loan& loan);

} // namespace nfqws2::lua
