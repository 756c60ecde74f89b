// What can be asked for: a row a command, and the answer that a row makes. The room app fills the
// table; the server checks a request against it before anything is made.
#pragma once

#include "nfqws2/control/request.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nfqws2::control {

// An answer is written in pieces of at most about a millisecond, between two batches of packets,
// and only as fast as the client reads.
class Answer {
  public:
    enum class Next : std::uint8_t {
        more,  // ask again soon
        later, // when something rang, or after wait_ms()
        end
    };
    virtual ~Answer() = default;
    // Appends whole lines; the last one has "end" (end_line).
    virtual Next write(std::string& out) = 0;
    // Goes on by itself until the client has enough: then close() makes the last line.
    virtual bool endless() const { return false; }
    virtual void close(std::string& out) { (void)out; }
    virtual int wait_ms() const { return -1; } // -1: until something rang
};

// Why there is none.
struct Refusal {
    const char* code = "failed"; // docs/control.md#lines
    std::string text;
};

enum class Kind : std::uint8_t { text, number, flag, text_or_number };

struct Field {
    const char* name;
    Kind kind;
    // Of numbers.
    std::int64_t least = 0, most = 0;
};

struct Command {
    const char* name;
    Access access; // of those who may ask
    std::vector<Field> fields;
    // nullptr and *refusal: it cannot be.
    std::function<std::unique_ptr<Answer>(const Request&, Refusal*)> make;
};

// An answer of which everything is known at once.
class ReadyAnswer final : public Answer {
  public:
    explicit ReadyAnswer(std::string lines) : lines_(std::move(lines)) {}
    Next write(std::string& out) override {
        out += lines_;
        return Next::end;
    }

  private:
    std::string lines_;
};

std::string error_line(const Refusal& refusal);

// Against the table: nullptr and *refusal if there is no such command or it is not for this client,
// or a field is unknown or not as it should be.
const Command* find_command(const std::vector<Command>& commands, const Request& request,
                            Refusal* refusal);

} // namespace nfqws2::control
