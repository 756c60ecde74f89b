#include "program.hpp"

int main(int argc, char** argv) {
    return nfqws2::app::run_program(argc, argv);
}
