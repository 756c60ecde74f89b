// Runs a fuzz target over the files given on the command line; for builds without libFuzzer.
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
    for (int i = 1; i < argc; i++) {
        std::ifstream file(argv[i], std::ios::binary);
        if (!file) {
            std::fprintf(stderr, "cannot read %s\n", argv[i]);
            return 1;
        }
        const std::vector<std::uint8_t> data{std::istreambuf_iterator<char>(file), {}};
        LLVMFuzzerTestOneInput(data.data(), data.size());
    }
    std::printf("%d files run\n", argc - 1);
    return 0;
}
