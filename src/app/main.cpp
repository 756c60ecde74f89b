#include "program.hpp"
#include "start/uncaught.hpp"

int main(int argc, char** argv) {
    nfqws2::app::tell_of_uncaught();
    return nfqws2::app::run_program(argc, argv);
}
