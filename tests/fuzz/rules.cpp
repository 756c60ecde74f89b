// Rules files: whatever stands there is compiled or refused with lines that name their place.
#include "nfqws2/rules/compile.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace nfqws2::rules;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (text.find("include") != std::string_view::npos) return 0; // no files here
    const Compiled compiled = compile_text(text, "f.toml");
    if ((compiled.program == nullptr) == compiled.errors.empty()) std::abort();
    if (compiled.errors.size() > 20 || compiled.errors.size() != compiled.positioned.size())
        std::abort();
    for (const std::string& error : compiled.errors)
        if (!error.starts_with("f.toml:")) std::abort();
    return 0;
}
