#include "hello_builder.hpp"

namespace nfqws2::protocol::test {

void put16(Buffer& out, std::size_t value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}
void put(Buffer& out, const Buffer& more) {
    out.insert(out.end(), more.begin(), more.end());
}

Buffer extension(std::size_t type, const Buffer& data) {
    Buffer out;
    put16(out, type);
    put16(out, data.size());
    put(out, data);
    return out;
}

Buffer server_name(std::string_view name, std::uint8_t name_type) {
    Buffer data;
    put16(data, name.size() + 3);
    data.push_back(name_type);
    put16(data, name.size());
    put(data, bytes_of(name));
    return extension(0, data);
}

Buffer handshake(const Hello& hello) {
    Buffer body(34, 0x11);
    body[0] = body[1] = 3;
    body.push_back(static_cast<std::uint8_t>(hello.session.size()));
    put(body, hello.session);
    put(body, hello.type == 1 ? hex("0004130113020100") : hex("130100"));
    put16(body, hello.extensions.size());
    put(body, hello.extensions);
    Buffer out = {hello.type, 0};
    put16(out, body.size());
    put(out, body);
    return out;
}

Buffer record(const Buffer& content) {
    Buffer out = {0x16, 3, 1};
    put16(out, content.size());
    put(out, content);
    return out;
}

} // namespace nfqws2::protocol::test
