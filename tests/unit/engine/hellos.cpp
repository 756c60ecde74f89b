#include "hellos.hpp"

#include <cstdlib>

namespace nfqws2::engine::test {

Buffer hello_message(std::size_t size, std::string_view host, bool host_last) {
    const Buffer name = builders::server_name(host);
    builders::Hello hello;
    hello.extensions = name;
    const std::size_t bare = builders::handshake(hello).size();
    if (size < bare + 4) std::abort();
    const Buffer padding = builders::extension(21, Buffer(size - bare - 4, 0));
    hello.extensions = host_last ? joined(padding, name) : joined(name, padding);
    return builders::handshake(hello);
}

Buffer hello_record(std::size_t size, std::string_view host, bool host_last) {
    return builders::record(hello_message(size - 5, host, host_last));
}

Buffer initial_of(Buffer frames, std::uint32_t number, std::string_view dcid) {
    builders::InitialSpec spec;
    spec.dcid = builders::hex(dcid);
    spec.number = number;
    spec.pad_to = 1162;
    return builders::seal_initial(spec, std::move(frames));
}

Buffer initial_with(Bytes message, std::size_t from, std::size_t to, std::uint32_t number) {
    return initial_of(builders::crypto_frame(from, copy_of(message.subspan(from, to - from))),
                      number);
}

} // namespace nfqws2::engine::test
