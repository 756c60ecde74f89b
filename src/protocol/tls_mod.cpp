// Editing a ClientHello. Theory of operation: the blob is copied and checked as a whole first; then
// the edits run in a fixed order (server name, its randomisation, random fields, session id,
// padding), each one looking up its positions in the bytes as they are by then. A length field
// changes only together with all the fields around it, and only if every one can hold its new
// value.
#include "nfqws2/protocol/tls_mod.hpp"

#include "nfqws2/base/text.hpp"
#include "nfqws2/protocol/tls.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

namespace nfqws2::protocol {

namespace {

constexpr std::uint16_t padding_type = 21;
constexpr std::size_t record_length_at = 3, handshake_length_at = 6, handshake_at = 5;
constexpr std::size_t random_at = 11, random_size = 32, session_size_at = 43, session_at = 44;

// One length field: where it is and how many bytes it has.
struct LengthField {
    std::size_t at = 0;
    unsigned width = 2;
};

class HelloEditor {
  public:
    HelloEditor(Bytes blob, Random& random, TlsModResult& result)
        : data_(result.data), result_(result), random_(random) {
        data_.assign(blob.begin(), blob.end());
    }

    void run(const TlsMod& mod, std::optional<Bytes> payload) {
        if (!is_whole_hello()) return fail("tls structure invalid");
        if (mod.sni || mod.rndsni || mod.padencap) {
            const auto offset = extensions_offset(Bytes(data_).subspan(handshake_at));
            if (!offset) return fail("no extensions");
            extensions_at_ = handshake_at + *offset;
        }
        if (mod.sni || mod.rndsni) {
            if (!find_name()) return fail("no valid server name extension");
            if (mod.sni && !replace_name(*mod.sni)) return fail("a length field would overflow");
            if (mod.rndsni && !randomise_name()) return fail("server name is empty");
        }
        if (mod.rnd) randomise_fields();
        if (!payload) return;
        if (mod.dupsid) copy_session_id(*payload);
        if (mod.padencap) enclose(payload->size());
    }

  private:
    void fail(std::string_view why) { result_.error = why; }
    void notice(std::string_view what) { result_.notices.emplace_back(what); }

    bool is_whole_hello() const {
        return is_tls_client_hello(data_) && tls_record_full(data_) &&
               client_hello_handshake_full(Bytes(data_).subspan(handshake_at)) &&
               data_.size() > session_size_at && data_.size() >= session_at + session_size();
    }
    std::size_t session_size() const { return data_[session_size_at]; }

    bool find_name() {
        const auto extension = find_extension(data_, server_name_type, Strictness::strict);
        if (!extension) return false;
        const auto name =
            server_name_in_extension(Bytes(data_).subspan(extension->offset, extension->size));
        if (!name) return false;
        name_extension_at_ = extension->offset;
        name_at_ = extension->offset + name->offset;
        name_size_ = name->size;
        return true;
    }

    std::int64_t load(LengthField field) const {
        const std::uint8_t* p = data_.data() + field.at;
        return field.width == 2 ? std::int64_t{load_be16(p)} : std::int64_t{load_be24(p)};
    }
    // All or nothing.
    bool add_to_lengths(std::span<const LengthField> fields, std::int64_t delta) {
        const auto holds = [&](LengthField f) {
            const std::int64_t value = load(f) + delta;
            return value >= 0 && value < (std::int64_t{1} << (8 * f.width));
        };
        if (!std::ranges::all_of(fields, holds)) return false;
        for (const LengthField f : fields) {
            const auto value = static_cast<std::uint32_t>(load(f) + delta);
            if (f.width == 2)
                store_be16(data_.data() + f.at, static_cast<std::uint16_t>(value));
            else
                store_be24(data_.data() + f.at, value);
        }
        return true;
    }

    bool replace_name(const std::string& name) {
        const std::array<LengthField, 6> fields = {{{record_length_at},
                                                    {handshake_length_at, 3},
                                                    {extensions_at_},
                                                    {name_extension_at_ - 2},
                                                    {name_extension_at_},
                                                    {name_extension_at_ + 3}}};
        const auto delta =
            static_cast<std::int64_t>(name.size()) - static_cast<std::int64_t>(name_size_);
        if (!add_to_lengths(fields, delta)) return false;
        const auto begin = std::next(data_.begin(), static_cast<std::ptrdiff_t>(name_at_));
        const auto end = std::next(begin, static_cast<std::ptrdiff_t>(name_size_));
        const auto kept = data_.erase(begin, end);
        data_.insert(kept, name.begin(), name.end());
        name_size_ = name.size();
        return true;
    }

    std::uint8_t pick(std::string_view from) {
        return static_cast<std::uint8_t>(
            from[random_.below(static_cast<std::uint32_t>(from.size()))]);
    }
    bool randomise_name() {
        static constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";
        static constexpr std::string_view letters_and_digits =
            "0123456789abcdefghijklmnopqrstuvwxyz";
        static constexpr std::array<std::string_view, 6> domains = {"com", "org", "net",
                                                                    "edu", "gov", "biz"};
        if (name_size_ == 0) return false;
        const MutBytes name = MutBytes(data_).subspan(name_at_, name_size_);
        const std::size_t tail = name.size() >= 7 ? 4 : 0; // dot and domain
        name[0] = pick(letters);
        for (std::uint8_t& c : name.subspan(1, name.size() - 1 - tail))
            c = pick(letters_and_digits);
        if (tail != 0) {
            const std::string_view domain = domains[random_.below(domains.size())];
            name[name.size() - tail] = '.';
            std::ranges::copy(domain, name.last(tail - 1).begin());
        }
        return true;
    }

    void randomise_fields() {
        random_.fill(MutBytes(data_).subspan(random_at, random_size));
        random_.fill(MutBytes(data_).subspan(session_at, session_size()));
    }

    void copy_session_id(Bytes payload) {
        const std::size_t size = session_size();
        if (!is_tls_client_hello(payload) || payload.size() < session_at + size ||
            payload[session_size_at] != size)
            return notice("dupsid ignored: payload has no session id of the same size");
        std::ranges::copy(payload.subspan(session_at, size), data_.begin() + session_at);
    }

    // Makes the lengths count `payload` bytes that the caller sends behind the hello, as content of
    // a padding extension that must be the last thing in the blob.
    void enclose(std::size_t payload) {
        const std::array<LengthField, 3> outer = {
            {{record_length_at}, {handshake_length_at, 3}, {extensions_at_}}};
        auto padding = find_extension(data_, padding_type, Strictness::strict);
        if (padding && padding->offset + padding->size != data_.size())
            return fail("padding extension is not at the end");
        if (!padding) {
            if (tls_record_size(data_) != data_.size())
                notice("padencap: padding is appended behind data that follows the record");
            if (!add_to_lengths(outer, 4)) return fail("a length field would overflow");
            data_.insert(data_.end(), {0, padding_type, 0, 0});
            padding = Extension{data_.size(), 0};
        }
        const std::array<LengthField, 4> fields = {
            outer[0], outer[1], outer[2], {padding->offset - 2}};
        if (payload > 0xFFFF || !add_to_lengths(fields, static_cast<std::int64_t>(payload)))
            notice("padencap ignored: payload is too large");
    }

    std::vector<std::uint8_t>& data_;
    TlsModResult& result_;
    Random& random_;
    std::size_t extensions_at_ = 0;
    std::size_t name_extension_at_ = 0, name_at_ = 0, name_size_ = 0;
};

bool parse_word(std::string_view word, TlsMod& mod) {
    const std::size_t equals = word.find('=');
    const std::string_view key = word.substr(0, equals);
    if (key == "none") return true;
    if (key == "rnd") return mod.rnd = true;
    if (key == "rndsni") return mod.rndsni = true;
    if (key == "dupsid") return mod.dupsid = true;
    if (key == "padencap") return mod.padencap = true;
    if (key != "sni" || equals == std::string_view::npos) return false;
    const std::string_view value = word.substr(equals + 1);
    if (value.empty() || value.size() > max_server_name) return false;
    mod.sni = value;
    return true;
}

} // namespace

std::optional<TlsMod> parse_tls_mod(std::string_view list) {
    TlsMod mod;
    while (!list.empty()) { // so a trailing comma is allowed
        const std::size_t comma = std::min(list.find(','), list.size());
        if (!parse_word(list.substr(0, comma), mod)) return std::nullopt;
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return mod;
}

TlsModResult apply_tls_mod(Bytes blob, const TlsMod& mod, std::optional<Bytes> payload,
                           Random& random) {
    TlsModResult result;
    HelloEditor editor(blob, random, result);
    if (mod.any()) editor.run(mod, payload);
    return result;
}

} // namespace nfqws2::protocol
