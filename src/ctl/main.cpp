#include "program.hpp"

int main(int argc, char** argv) {
    return nfqws2::ctl::program(argc, argv);
}
