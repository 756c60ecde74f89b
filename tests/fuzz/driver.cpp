// Runs a fuzz target over the files given on the command line; for builds without libFuzzer.
// -mutate=SECONDS: goes on with what the target's own mutator makes of them. The same files give
// the same inputs. -keep=FILE: there the input that is being run stands, to be found after the end.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" [[gnu::weak]] std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                                             std::size_t most, unsigned seed);

namespace {

using Input = std::vector<std::uint8_t>;
constexpr std::size_t largest = 4096, largest_pool = 2000;

void keep(const std::string& path, const Input& input) {
    if (path.empty()) return;
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(input.data()),
               static_cast<std::streamsize>(input.size()));
}

// Some of what was made is mutated further.
unsigned long mutate(std::vector<Input> pool, int seconds, const std::string& path) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    std::minstd_rand random(1);
    unsigned long runs = 0;
    for (; std::chrono::steady_clock::now() < end; runs++) {
        Input input = pool[random() % pool.size()];
        std::size_t size = std::min(input.size(), largest);
        input.resize(largest);
        for (unsigned n = random() % 8 + 1; n > 0; n--)
            size = LLVMFuzzerCustomMutator(input.data(), size, largest,
                                           static_cast<unsigned>(random()));
        input.resize(size);
        keep(path, input);
        LLVMFuzzerTestOneInput(input.data(), input.size());
        if (pool.size() < largest_pool)
            pool.push_back(std::move(input));
        else
            pool[random() % pool.size()] = std::move(input);
    }
    return runs;
}

} // namespace

int main(int argc, char** argv) {
    std::vector<Input> inputs;
    int seconds = 0;
    std::string path;
    for (int i = 1; i < argc; i++) {
        if (std::strncmp(argv[i], "-mutate=", 8) == 0) {
            seconds = std::atoi(argv[i] + 8);
            continue;
        }
        if (std::strncmp(argv[i], "-keep=", 6) == 0) {
            path = argv[i] + 6;
            continue;
        }
        std::ifstream file(argv[i], std::ios::binary);
        if (!file) {
            std::fprintf(stderr, "cannot read %s\n", argv[i]);
            return 1;
        }
        inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
        LLVMFuzzerTestOneInput(inputs.back().data(), inputs.back().size());
    }
    if (seconds > 0 && (LLVMFuzzerCustomMutator == nullptr || inputs.empty())) {
        std::fprintf(stderr, "nothing to mutate\n");
        return 1;
    }
    if (seconds > 0) std::printf("%lu inputs made\n", mutate(inputs, seconds, path));
    std::printf("%zu files run\n", inputs.size());
    return 0;
}
