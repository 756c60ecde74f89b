// ClientHello: extension walk, server name, editing.
#include "nfqws2/protocol/tls.hpp"
#include "nfqws2/protocol/tls_mod.hpp"

#include <cstdlib>
#include <initializer_list>

using namespace nfqws2;
using namespace nfqws2::protocol;

namespace {

void check_inside(const std::optional<Extension>& extension, Bytes data) {
    if (!extension) return;
    if (extension->offset > data.size() || extension->size > data.size() - extension->offset)
        std::abort();
    server_name_in_extension(data.subspan(extension->offset, extension->size));
}

// What is known of a hello only grows with what is there, up to where it is complete.
void check_extent(Bytes data) {
    const TlsHelloExtent whole = tls_hello_extent(data);
    if (whole.is == TlsHelloExtent::Is::foreign) return;
    if (whole.complete != (whole.size <= data.size())) std::abort();
    // A whole signature counts whatever the length of its record says; its beginning does not.
    if (data.size() >= 5 && tls_record_size(data) < 11) return;
    for (std::size_t size = 0; size < data.size() && size < 200; size++) {
        const TlsHelloExtent part = tls_hello_extent(data.first(size));
        if (part.is == TlsHelloExtent::Is::foreign) std::abort();
        if (!part.complete && !whole.complete && part.size > whole.size) std::abort();
    }
}

void check_joined(Bytes data) {
    const TlsHandshake joined(data);
    const Bytes message = joined.message();
    if (message.size() > data.size()) std::abort();
    for (std::size_t i = 0; i < message.size(); i++)
        if (data[joined.on_wire(i)] != message[i]) std::abort();
}

void check_edit(Bytes blob, const char* list, std::optional<Bytes> payload) {
    static const auto random = make_seeded_random(1);
    const auto result = apply_tls_mod(blob, *parse_tls_mod(list), payload, *random);
    if (result.ok() && result.data.size() > blob.size() + 255 + 4) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    const Bytes data(raw, size);
    for (const auto strictness : {Strictness::partial, Strictness::strict}) {
        for (const std::uint16_t type : std::initializer_list<std::uint16_t>{0, 21, 43}) {
            check_inside(find_extension(data, type, strictness), data);
            check_inside(find_extension_in_handshake(data, type, strictness), data);
        }
    }
    check_extent(data);
    check_joined(data);
    tls_record_full(data);
    client_hello_handshake_full(data);
    tls_client_hello_host(data);
    client_hello_handshake_host(data);
    check_edit(data, "rnd,dupsid,padencap", data);
    check_edit(data, "rndsni,padencap", Bytes{});
    check_edit(data, "sni=www.example.com,rndsni,rnd,dupsid,padencap", clipped(data, 0, 100));
    parse_tls_mod(as_text(data));
    return 0;
}
