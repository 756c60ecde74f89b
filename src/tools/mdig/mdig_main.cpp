#include "mdig/mdig.hpp"

int main(int argc, char** argv) {
    return nfqws2::tools::mdig_main(argc, argv);
}
