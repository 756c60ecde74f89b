#include "places.hpp"

#include <cstdlib>

namespace nfqws2::test {

std::string in_source(const std::string& path) {
    return NFQWS2_SOURCE_DIR "/" + path;
}
std::string in_data(const std::string& path) {
    return in_source("tests/data/" + path);
}

unsigned every() {
    const char* text = std::getenv("NFQWS2_TEST_EVERY");
    return text != nullptr ? static_cast<unsigned>(std::stoul(text)) : 1;
}

} // namespace nfqws2::test
