// "marks": what traffic rules remember of hosts and connections, and changes to it by people.
#include "commands.hpp"

#include "nfqws2/base/json.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>

namespace nfqws2::app {
namespace {

using control::Answer;
using control::Refusal;
using control::Request;

constexpr std::size_t lines_per_piece = 200;
constexpr int scans_per_piece = 16;
constexpr std::int64_t ns_per_ms = 1'000'000;

// What a request is about. Without a kind: of all kinds.
struct Wanted {
    std::optional<rules::MarkKind> kind;
    std::optional<std::int64_t> id;
    IpAddress address, peer;
    std::uint16_t port = 0, peer_port = 0;
    std::uint8_t protocol = 0;

    bool admits(const rules::MarkTable::Listed& mark) const {
        return (!kind || *kind == mark.kind) && (!id || *id == mark.id) &&
               (address.empty() || mark.a == address || mark.b == address) &&
               (peer.empty() || mark.a == peer || mark.b == peer);
    }
};

bool read_address(const Request& request, const char* name, IpAddress* out, Refusal* refusal) {
    const std::string* text = request.text(name);
    if (text == nullptr) return true;
    const auto address = IpAddress::parse(*text);
    *refusal = {"bad-field", "'" + std::string(name) + "' is no address"};
    if (address) *out = *address;
    return address.has_value();
}

std::optional<std::uint8_t> protocol_number(const std::string& text) {
    for (const auto& [name, number] :
         {std::pair("tcp", 6), std::pair("udp", 17), std::pair("sctp", 132), std::pair("icmp", 1)})
        if (text == name) return static_cast<std::uint8_t>(number);
    const auto number = parse_uint(text, UINT8_MAX);
    return number ? std::optional(static_cast<std::uint8_t>(*number)) : std::nullopt;
}

std::optional<Wanted> read_wanted(const Request& request, Refusal* refusal) {
    Wanted wanted;
    if (const std::string* kind = request.text("kind")) {
        wanted.kind = rules::mark_kind(*kind);
        *refusal = {"bad-field", "'kind' is hmark, dhmark, sdhmark or connmark"};
        if (!wanted.kind) return std::nullopt;
    }
    if (const std::string* protocol = request.text("protocol")) {
        const auto number = protocol_number(*protocol);
        *refusal = {"bad-field", "'protocol' is tcp, udp, sctp, icmp or a number"};
        if (!number) return std::nullopt;
        wanted.protocol = *number;
    }
    if (const std::int64_t* id = request.number("id")) wanted.id = *id;
    if (const std::int64_t* port = request.number("port"))
        wanted.port = static_cast<std::uint16_t>(*port);
    if (const std::int64_t* port = request.number("peer_port"))
        wanted.peer_port = static_cast<std::uint16_t>(*port);
    if (!read_address(request, "address", &wanted.address, refusal) ||
        !read_address(request, "peer", &wanted.peer, refusal))
        return std::nullopt;
    return wanted;
}

// One mark, all of it named.
std::optional<rules::MarkKey> key_of(const rules::MarkTable& marks, const Wanted& wanted,
                                     Refusal* refusal) {
    *refusal = {"bad-field", "'kind', 'id' and 'address' are needed"};
    if (!wanted.kind || !wanted.id || wanted.address.empty()) return std::nullopt;
    const auto id = static_cast<std::uint8_t>(*wanted.id);
    if (*wanted.kind == rules::MarkKind::source) return marks.source(id, wanted.address);
    if (*wanted.kind == rules::MarkKind::destination) return marks.destination(id, wanted.address);
    *refusal = {"bad-field", "'peer' is needed, of the same family"};
    if (wanted.peer.version != wanted.address.version) return std::nullopt;
    if (*wanted.kind == rules::MarkKind::pair) return marks.pair(id, wanted.address, wanted.peer);
    *refusal = {"bad-field", "'protocol' is needed"};
    if (wanted.protocol == 0) return std::nullopt;
    return marks.connection(id, wanted.protocol, wanted.address, wanted.port, wanted.peer,
                            wanted.peer_port);
}

void write_mark(std::string& out, const rules::MarkTable::Listed& listed) {
    const bool connection = listed.kind == rules::MarkKind::connection;
    JsonWriter json(out);
    json.open_object();
    json.key("mark").open_object();
    json.key("kind").text(rules::mark_word(listed.kind));
    json.key("id").number(listed.id);
    json.key("address").text_or_null(listed.a.empty() ? std::string() : listed.a.text());
    json.key("peer").text_or_null(listed.b.empty() ? std::string() : listed.b.text());
    if (connection && !listed.a.empty()) {
        json.key("protocol").number(listed.protocol);
        json.key("port").number(listed.a_port);
        json.key("peer_port").number(listed.b_port);
    }
    json.key("value").number(listed.mark.value);
    json.key("valid").boolean(listed.mark.status == rules::MarkStatus::valid);
    json.key("age_ms").number(static_cast<std::uint64_t>(listed.mark.age_ns / ns_per_ms));
    json.key("lifetime_ms").number(static_cast<std::uint64_t>(listed.mark.lifetime_ns / ns_per_ms));
    json.close_object();
    json.close_object();
    out += '\n';
}

// The table goes on while it is walked: what comes or goes meanwhile may be missed.
class ListAnswer final : public Answer {
  public:
    ListAnswer(const Subject& subject, const rules::MarkTable& marks, const Wanted& wanted,
               std::uint64_t limit)
        : subject_(subject), marks_(marks), wanted_(wanted),
          most_(limit != 0 ? limit : UINT64_MAX) {}

    Next write(std::string& out) override {
        const std::int64_t now_ns = subject_.workers.shared().clock.boot_ns();
        const std::uint64_t before = count_;
        for (int i = 0; i < scans_per_piece && count_ < before + lines_per_piece; i++) {
            cursor_ = marks_.scan(cursor_, now_ns, [&](const auto& mark) {
                if (mark.mark.status == rules::MarkStatus::none || !wanted_.admits(mark)) return;
                more_ = count_ == most_;
                if (more_) return;
                write_mark(out, mark);
                count_++;
            });
            if (cursor_ != 0 && !more_) continue;
            out += end_line(count_, more_);
            return Next::end;
        }
        return Next::more;
    }

  private:
    const Subject& subject_;
    const rules::MarkTable& marks_;
    Wanted wanted_;
    std::uint64_t most_, cursor_ = 0, count_ = 0;
    bool more_ = false;
};

std::unique_ptr<Answer> done(std::uint64_t count) {
    return std::make_unique<control::ReadyAnswer>(end_line(count));
}

std::unique_ptr<Answer> change(const Subject& subject, rules::MarkTable& marks,
                               const Request& request, const Wanted& wanted, bool set,
                               Refusal* refusal) {
    const auto key = key_of(marks, wanted, refusal);
    if (!key) return nullptr;
    if (!set) return done(marks.erase(*key) ? 1 : 0);
    const std::int64_t* value = request.number("value");
    const std::int64_t* lifetime_s = request.number("lifetime_s");
    bool written = true;
    marks.write(*key, rules::MarkHow::set,
                static_cast<std::uint32_t>(value != nullptr ? *value : 0),
                lifetime_s != nullptr ? *lifetime_s * 1000 * ns_per_ms : 0,
                subject.workers.shared().clock.boot_ns(), &written);
    *refusal = {"failed", "there is no memory for another mark"};
    return written ? done(1) : nullptr;
}

std::unique_ptr<Answer> act(const Subject& subject, const Request& request, Refusal* refusal) {
    *refusal = {"failed", "rules are not loaded"};
    auto& rules = subject.workers.shared().rules;
    if (!rules) return nullptr;
    rules::MarkTable& marks = rules->tables().marks;
    const std::string* given = request.text("action");
    const std::string action = given != nullptr ? *given : "list";
    *refusal = {"bad-field", "'action' is list, set or delete"};
    if (action != "list" && action != "set" && action != "delete") return nullptr;
    const auto wanted = read_wanted(request, refusal);
    if (!wanted) return nullptr;
    if (action == "list") {
        return std::make_unique<ListAnswer>(subject, marks, *wanted, limit_of(request));
    }
    *refusal = {"forbidden", "'" + action + "' is not for this user"};
    if (request.access < control::Access::all) return nullptr;
    return change(subject, marks, request, *wanted, action == "set", refusal);
}

} // namespace

control::Command marks_command(const Subject& subject) {
    using control::Kind;
    return {"marks",
            control::Access::read,
            {{"action", Kind::text},
             {"kind", Kind::text},
             {"id", Kind::number, 1, UINT8_MAX},
             {"address", Kind::text},
             {"port", Kind::number, 0, UINT16_MAX},
             {"peer", Kind::text},
             {"peer_port", Kind::number, 0, UINT16_MAX},
             {"protocol", Kind::text},
             {"value", Kind::number, 0, UINT32_MAX},
             {"lifetime_s", Kind::number, 0, UINT32_MAX},
             {"limit", Kind::number, 0, INT32_MAX}},
            [&subject](const Request& request, Refusal* refusal) {
                return act(subject, request, refusal);
            }};
}

} // namespace nfqws2::app
