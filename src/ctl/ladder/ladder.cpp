// Theory of operation. Events are dealt out to flows in the order of their first packets. In a flow
// each event becomes an arrow to nfqws2, or through it if nothing happened, then one for each
// packet sent because of it. Packets that only pass, as those of a download, are counted in one row
// when there are many in a row.
#include "ladder/ladder.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace nfqws2::ctl {
namespace {

using Events = std::vector<const TraceEvent*>;

constexpr std::string_view dot = " \xC2\xB7 ";

void add(std::string& text, std::string_view part) {
    if (part.empty()) return;
    if (!text.empty()) text += dot;
    text += part;
}

std::string counted(const char* form, std::int64_t number) {
    // The form is one of words.cpp, which all have one %lld.
    std::string text(form);
    const std::size_t at = text.find("%lld");
    if (at != std::string::npos) text.replace(at, 4, std::to_string(number));
    return text;
}

std::string payload_name(const std::string& payload) {
    static const std::map<std::string, const char*, std::less<>> names = {
        {"tls_client_hello", "ClientHello"}, {"tls_server_hello", "ServerHello"},
        {"http_req", "HTTP request"},        {"http_reply", "HTTP reply"},
        {"quic_initial", "QUIC Initial"},    {"dns_query", "DNS query"},
        {"dns_response", "DNS response"},
    };
    const auto found = names.find(payload);
    if (found != names.end()) return found->second;
    return payload == "empty" || payload == "unknown" ? std::string() : payload;
}

std::string flag_names(const std::string& flags) {
    static constexpr std::pair<char, const char*> names[] = {
        {'S', "SYN"}, {'F', "FIN"}, {'R', "RST"}, {'A', "ACK"}, {'P', "PSH"}, {'U', "URG"}};
    std::string text;
    for (const auto& [letter, name] : names)
        if (flags.find(letter) != std::string::npos)
            text += (text.empty() ? "" : ",") + std::string(name);
    return text.empty() ? flags : text;
}

Range hull(Range a, Range b) {
    return {std::min(a.from, b.from), std::max(a.to, b.to)};
}

std::optional<Range> moved(const std::optional<Range>& range, std::int64_t by) {
    if (!range) return std::nullopt;
    return Range{range->from + by, range->to + by};
}

// Nothing happened to it, and it says nothing about the connection.
bool plain(const TraceEvent& event) {
    return event.number && event.verdict == "accept" && event.out.size() <= 1 && !event.held &&
           (event.out.empty() || event.out[0].kind == SentPacket::Kind::original) &&
           payload_name(event.payload).empty() && event.note.empty() && event.error.empty() &&
           event.flags.find_first_of("SFR") == std::string::npos &&
           std::none_of(event.calls.begin(), event.calls.end(),
                        [](const InstanceCall& c) { return !c.error.empty(); });
}

// Of two ends "10.0.0.1:1025" or "[2001:db8::1]:443"; a fragment tells no port.
bool same_end(std::string_view sent, std::string_view end) {
    if (sent == end) return true;
    std::string_view address = end.substr(0, end.rfind(':'));
    if (address.starts_with('[')) address = address.substr(1, address.size() - 2);
    return sent == address;
}

class Builder {
  public:
    Builder(const Events& events, const Words& words, const LadderLimits& limits)
        : events_(events), words_(words), limits_(limits) {}

    Ladder build();

  private:
    void heading();
    void event(std::size_t index);
    void arrival(const TraceEvent& e, const Range& message);
    void calls(const TraceEvent& e);
    void sent(const TraceEvent& e, const SentPacket& packet, const Range& message);
    void describe(Row& row, const TraceEvent& e, const SentPacket& packet,
                  const Range& message) const;
    void fooling(Row& row, const SentPacket& packet, bool odd_ttl) const;
    Range message_around(std::size_t index) const;
    Strip strip(const TraceEvent& e, Range part, const Range& message) const;
    void note(std::string text);
    std::size_t plain_run(std::size_t index) const;
    std::string time_of(const TraceEvent& e) const;
    std::optional<std::int64_t> usual_ttl(bool incoming) const;

    const Events& events_;
    const Words& words_;
    const LadderLimits& limits_;
    Ladder ladder_;
    std::string near_; // the flow's end on this machine
    double start_ = 0;
};

Ladder Builder::build() {
    heading();
    start_ = events_.front()->seconds;
    for (std::size_t i = 0; i < events_.size();) {
        if (ladder_.rows.size() >= limits_.rows) {
            note(counted(words_.more_rows, static_cast<std::int64_t>(events_.size() - i)));
            break;
        }
        const std::size_t run = plain_run(i);
        if (run > 3) {
            Row row;
            row.kind = Row::Kind::gap;
            row.title = counted(words_.passed, static_cast<std::int64_t>(run));
            row.time = time_of(*events_[i]);
            ladder_.rows.push_back(std::move(row));
            i += run;
        } else {
            event(i++);
        }
    }
    return std::move(ladder_);
}

void Builder::heading() {
    const TraceEvent& first = *events_.front();
    std::string host, profile, protocol;
    for (const TraceEvent* e : events_) {
        if (host.empty()) host = e->host;
        if (protocol.empty() && e->protocol != "unknown") protocol = e->protocol;
        if (!e->profile.empty()) profile = e->profile;
    }
    near_ = first.incoming ? first.target : first.source;
    if (near_.empty() && !first.out.empty()) near_ = first.out[0].source; // of a timer
    const std::string& far = first.incoming ? first.source : first.target;
    const std::string ends = near_.empty() ? words_.no_flow : near_ + " \xE2\x86\x92 " + far;
    ladder_.title = host.empty() ? ends : host;
    if (!host.empty()) add(ladder_.subtitle, ends);
    add(ladder_.subtitle, protocol.empty() ? first.l4 : protocol);
    if (!profile.empty()) add(ladder_.subtitle, words_.profile + profile);
}

std::size_t Builder::plain_run(std::size_t index) const {
    std::size_t end = index;
    while (end < events_.size() && plain(*events_[end]))
        end++;
    return end - index;
}

std::string Builder::time_of(const TraceEvent& e) const {
    return format("%.3f", e.seconds - start_);
}

void Builder::note(std::string text) {
    Row row;
    row.title = std::move(text);
    ladder_.rows.push_back(std::move(row));
}

// The TTL of what passes is nothing special.
std::optional<std::int64_t> Builder::usual_ttl(bool incoming) const {
    for (const TraceEvent* e : events_)
        for (const SentPacket& packet : e->out)
            if (e->incoming == incoming && packet.kind == SentPacket::Kind::original && packet.ttl)
                return packet.ttl;
    return std::nullopt;
}

// The message that a packet is a part of: of a replay all its pieces, which come one after the
// other.
Range Builder::message_around(std::size_t index) const {
    const TraceEvent& e = *events_[index];
    Range message = e.data();
    const auto belongs = [&](std::size_t i, std::int64_t piece) {
        return events_[i]->pieces == e.pieces && events_[i]->piece == piece;
    };
    if (e.piece > 0) {
        std::int64_t piece = e.piece;
        for (std::size_t i = index; i > 0 && belongs(i - 1, --piece); i--)
            message = hull(message, events_[i - 1]->data());
        piece = e.piece;
        for (std::size_t i = index + 1; i < events_.size() && belongs(i, ++piece); i++)
            message = hull(message, events_[i]->data());
    }
    if (const auto host = moved(e.host_at, e.seq)) message = hull(message, *host);
    return message;
}

Strip Builder::strip(const TraceEvent& e, Range part, const Range& message) const {
    Strip strip;
    strip.message = message;
    strip.part = part;
    strip.host = moved(e.host_at, e.seq);
    return strip;
}

void Builder::arrival(const TraceEvent& e, const Range& message) {
    const bool passes = e.out.size() == 1 && e.out[0].kind == SentPacket::Kind::original &&
                        e.source == e.out[0].source;
    const bool handled = std::any_of(e.calls.begin(), e.calls.end(), [](const InstanceCall& c) {
        return c.sent > 0 || c.verdict == "drop" || c.verdict == "modify";
    });
    Row row;
    row.kind = Row::Kind::arrow;
    row.from = e.incoming ? Lane::network : Lane::machine;
    row.to = !passes || handled ? Lane::daemon : e.incoming ? Lane::machine : Lane::network;
    row.time = time_of(e);
    const std::string what = payload_name(e.payload);
    row.title = !what.empty() ? what : e.dlen > 0 && e.l4 == "tcp" ? "data" : flag_names(e.flags);
    if (row.title.empty()) row.title = e.l4;
    if (!what.empty() && !e.host.empty() && !e.incoming) add(row.title, e.host);
    if (e.dlen > 0) add(row.detail, counted(words_.bytes, e.dlen));
    if (e.dlen > 0 && e.l4 == "tcp") add(row.detail, counted(words_.position, e.seq));
    if (row.to == Lane::daemon && e.dlen > 0) {
        row.strip = strip(e, e.data(), message);
        for (const SentPacket& packet : e.out)
            if (!packet.foreign && packet.dlen > 0 && packet.source == e.source) {
                row.strip->cuts.push_back(packet.data().from);
                row.strip->cuts.push_back(packet.data().to);
            }
    }
    ladder_.rows.push_back(std::move(row));
    if (e.held) note(words_.held);
}

void Builder::calls(const TraceEvent& e) {
    std::string text;
    for (const InstanceCall& call : e.calls) {
        std::string one = call.name;
        if (!call.error.empty())
            one += ": " + (words_.failed + call.error);
        else if (call.sent > 0 || (call.verdict != "pass" && !call.verdict.empty()))
            one += ": " + call.verdict + (call.sent > 0 ? " +" + std::to_string(call.sent) : "");
        else
            continue;
        add(text, one);
    }
    if (!e.error.empty()) add(text, words_.failed + e.error);
    if (!text.empty()) note(std::move(text));
}

void Builder::describe(Row& row, const TraceEvent& e, const SentPacket& packet,
                       const Range& message) const {
    const bool way_of_cause = same_end(packet.source, e.source);
    if (packet.fragment)
        row.title = words_.fragment;
    else if (packet.kind == SentPacket::Kind::original)
        row.title = words_.as_it_was;
    else if (packet.kind == SentPacket::Kind::modified)
        row.title = words_.changed;
    else if (packet.dlen == 0 || !way_of_cause)
        row.title = flag_names(packet.flags);
    else if (packet.flags.find('U') != std::string::npos)
        row.title = words_.urgent;
    else if (packet.foreign && packet.foreign->to >= packet.dlen)
        row.title = words_.decoy;
    else if (packet.foreign)
        row.title = words_.overlap;
    else
        row.title = packet.data() == message ? words_.whole : words_.piece;
    if (packet.kind == SentPacket::Kind::modified) row.tone = Tone::changed;
    if (packet.kind == SentPacket::Kind::generated) row.tone = Tone::piece;
    const bool false_data = row.title == words_.decoy;
    const auto usual = usual_ttl(e.incoming);
    const bool odd_ttl = way_of_cause && packet.ttl && usual && *packet.ttl < *usual;
    if (packet.kind == SentPacket::Kind::generated &&
        (false_data || packet.bad_checksum || odd_ttl))
        row.tone = Tone::decoy;
    if (packet.dlen > 0) add(row.detail, counted(words_.bytes, packet.dlen));
    if (packet.dlen > 0 && e.l4 == "tcp" && !packet.fragment)
        add(row.detail, counted(words_.position, packet.seq));
    fooling(row, packet, odd_ttl);
}

// Why the box takes a packet that the server will not.
void Builder::fooling(Row& row, const SentPacket& packet, bool odd_ttl) const {
    if (odd_ttl) add(row.detail, "TTL " + std::to_string(*packet.ttl));
    if (packet.kind == SentPacket::Kind::original) return;
    if (packet.ack && *packet.ack < 0) add(row.detail, "ack " + std::to_string(*packet.ack));
    if (packet.signature) add(row.detail, "MD5");
    if (!packet.extensions.empty()) add(row.detail, packet.extensions);
    if (packet.bad_checksum) add(row.detail, words_.bad_sum);
}

void Builder::sent(const TraceEvent& e, const SentPacket& packet, const Range& message) {
    Row row;
    row.kind = Row::Kind::arrow;
    const bool way_of_cause = same_end(packet.source, e.source);
    const bool inward = !same_end(packet.source, near_);
    row.from = Lane::daemon;
    row.to = inward ? Lane::machine : Lane::network;
    describe(row, e, packet, message);
    if (packet.dlen > 0 && way_of_cause && !packet.fragment && e.dlen > 0) {
        row.strip = strip(e, packet.data(), message);
        row.strip->foreign = moved(packet.foreign, packet.seq);
        row.strip->named = moved(packet.host_at, packet.seq);
        const auto& host = row.strip->host;
        const bool own = packet.kind == SentPacket::Kind::generated && !packet.foreign;
        if (packet.host_at)
            add(row.detail, words_.readable);
        else if (own && host && packet.data().from < host->to && packet.data().to > host->from &&
                 !(packet.data().from <= host->from && packet.data().to >= host->to))
            add(row.detail, words_.partly);
    }
    ladder_.rows.push_back(std::move(row));
}

void Builder::event(std::size_t index) {
    const TraceEvent& e = *events_[index];
    const Range message = message_around(index);
    if (!e.number) {
        note(words_.by_timer);
    } else if (e.piece == 0 && e.note != "released") {
        arrival(e, message);
        if (ladder_.rows.back().kind == Row::Kind::arrow && ladder_.rows.back().to != Lane::daemon)
            return calls(e);
    } else if (e.out.empty() && e.error.empty() && e.piece > 1) {
        return; // went out with the first piece
    } else {
        note(e.piece == 0   ? words_.released
             : e.pieces > 1 ? words_.whole_now + (" (" + std::to_string(e.piece) + "/" +
                                                  std::to_string(e.pieces) + ")")
                            : std::string(words_.whole_now));
    }
    calls(e);
    std::int64_t left = e.omitted;
    for (std::size_t i = 0; i < e.out.size(); i++) {
        if (i < limits_.sent)
            sent(e, e.out[i], message);
        else
            left++;
    }
    if (left > 0) note(counted(words_.more_sent, left));
    if (e.out.empty() && e.verdict == "drop" && !e.held) note(words_.dropped);
}

// What identifies the flow of an event. Timers do not say for whom they sent.
std::string flow_key(const TraceEvent& e) {
    if (e.flow >= 0) return std::to_string(e.worker) + "/" + std::to_string(e.flow);
    const std::string& one = e.out.empty() || e.number ? e.source : e.out[0].source;
    const std::string& other = e.out.empty() || e.number ? e.target : e.out[0].target;
    return one < other ? one + ">" + other : other + ">" + one;
}

} // namespace

Ladders make_ladders(std::span<const TraceEvent> trace, const Words& words,
                     const LadderLimits& limits) {
    std::vector<Events> flows;
    std::map<std::string, std::size_t> by_key;
    Ladders result;
    std::set<std::string> left_out;
    for (const TraceEvent& e : trace) {
        const std::string key = flow_key(e);
        auto found = by_key.find(key);
        if (found == by_key.end()) {
            if (flows.size() == limits.ladders) {
                left_out.insert(key);
                continue;
            }
            found = by_key.emplace(key, flows.size()).first;
            flows.emplace_back();
            // Packets that belong to no flow by number, as those of timers, are found by the
            // addresses.
            if (e.flow >= 0) {
                TraceEvent ends = e;
                ends.flow = -1;
                by_key.emplace(flow_key(ends), flows.size() - 1);
            }
        }
        flows[found->second].push_back(&e);
    }
    for (const Events& events : flows)
        result.ladders.push_back(Builder(events, words, limits).build());
    result.omitted = static_cast<std::int64_t>(left_out.size());
    return result;
}

} // namespace nfqws2::ctl
