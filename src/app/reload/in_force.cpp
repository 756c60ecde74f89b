#include "reload/in_force.hpp"

#include "nfqws2/base/file.hpp"

namespace nfqws2::app {

Hash128 fingerprint(Bytes data) {
    return siphash128(SipKey::of_process(), data);
}

std::map<std::string, Hash128> fingerprints(const std::vector<lua::Blob>& blobs) {
    std::map<std::string, Hash128> result;
    for (const lua::Blob& blob : blobs)
        result[blob.name] = fingerprint(blob.data);
    return result;
}

// A script may stand there packed; one that cannot be read has the fingerprint of nothing.
std::vector<InForce::LuaItem> read_lua_items(const std::vector<lua::LuaInit>& items) {
    std::vector<InForce::LuaItem> result;
    for (const lua::LuaInit& item : items) {
        if (!item.is_file) {
            result.push_back({item, fingerprint(as_bytes(item.text))});
            continue;
        }
        const std::string path = can_read(item.text) ? item.text : item.text + ".gz";
        const ReadResult content = read_file(path, lua::longest_script);
        result.push_back({item, fingerprint(content.ok() ? Bytes(content.data) : Bytes())});
    }
    return result;
}

} // namespace nfqws2::app
