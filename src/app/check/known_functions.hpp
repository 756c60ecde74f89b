// The desync functions of the script libraries and their arguments, for --check. What is known is
// what the libraries say in their comments (src/tools/lua-library), so that it is known of a
// library that is not loaded too.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace nfqws2::app {

enum class ArgumentKind : std::uint8_t {
    plain,
    blob,      // names a blob to read
    new_blob,  // names a blob to make
    marker,    // one position
    markers,   // comma list of positions
    condition, // names a condition function
    function,  // names a function of another kind (names_detectors(): or several)
    file,      // names a file to read
};

struct KnownArgument {
    std::string_view name;
    ArgumentKind kind = ArgumentKind::plain;
    bool required = false;
    std::string_view partner = {}; // given together or not at all
};

struct KnownFunction {
    std::string_view name;
    std::vector<KnownArgument> arguments; // of the function and of the groups it belongs to
};

const std::vector<KnownFunction>& known_functions();
const KnownFunction* find_known_function(std::string_view name);
const KnownArgument* find_argument(const KnownFunction& function, std::string_view name);

// Does an argument of this name take such a value, of whatever function?
bool is_of_kind(std::string_view name, ArgumentKind kind);

// Is the value filled in while the program runs, from a global or a record (%name, #name)?
bool is_reference(std::string_view value);

// Does an argument of this name take several functions with + between them?
bool names_detectors(std::string_view name);

// Does an argument of this name take the name of a file, of whatever function? Costs nothing, so
// that the start may ask.
bool may_name_a_file(std::string_view name);

// Arguments that any instance may carry for an orchestrator in front of it, and those of the
// standard conditions.
const std::vector<KnownArgument>& orchestration_arguments();

} // namespace nfqws2::app
