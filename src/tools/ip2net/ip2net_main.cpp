#include "ip2net/ip2net.hpp"

int main(int argc, char** argv) {
    return nfqws2::tools::ip2net_main(argc, argv);
}
