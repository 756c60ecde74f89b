#include "places.hpp"

namespace nfqws2::test {

std::string in_source(const std::string& path) {
    return NFQWS2_SOURCE_DIR "/" + path;
}
std::string in_data(const std::string& path) {
    return in_source("tests/data/" + path);
}

} // namespace nfqws2::test
