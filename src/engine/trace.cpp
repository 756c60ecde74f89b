// Theory of operation. While a packet is in the pipeline its Record collects what happens: profiles
// refused, instances called or not, packets sent. end() makes a line of it. Packets can be nested
// (pieces of a message are replayed, held packets released, while another packet is being handled),
// so the records are a stack; the lines of the inner ones wait until the outermost is written.
// Nothing here runs when tracing is off.
#include "nfqws2/engine/trace.hpp"

#include "nfqws2/base/json.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/engine/flow_watcher.hpp"
#include "nfqws2/protocol/hostname.hpp"
#include "packet_text.hpp"
#include "passage.hpp"
#include "trace_bytes.hpp"

#include <chrono>

namespace nfqws2::engine {

namespace {

// A script may send a packet many times over; a line need not grow with that.
constexpr std::size_t max_listed = 1000;

std::int64_t stopwatch_ns() {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

const char* text_of(lua::Skipped why) {
    switch (why) {
    case lua::Skipped::payload:
        return "payload";
    case lua::Skipped::range:
        return "range";
    case lua::Skipped::ct_state:
        return "ct-state";
    case lua::Skipped::cutoff:
        return "cutoff";
    case lua::Skipped::lua_cutoff:
        return "lua-cutoff";
    case lua::Skipped::plan_cancelled:
        return "plan-cancelled";
    case lua::Skipped::error:
        break;
    }
    return "error";
}

const char* text_of(capture::Action action) {
    switch (action) {
    case capture::Action::modify:
        return "modify";
    case capture::Action::drop:
        return "drop";
    case capture::Action::split: // the packets it stands for are traced instead of it
    case capture::Action::accept:
        break;
    }
    return "accept";
}

void append(std::string& list, std::string_view element) {
    if (!list.empty()) list += ',';
    list += element;
}

std::string host_of(const Passage& p) {
    if (p.track != nullptr && p.track->has_hostname()) return std::string(p.track->hostname());
    return p.raw_host ? protocol::normalise_host(*p.raw_host).name : std::string();
}

void write_range(JsonWriter& json, const char* key, const std::optional<ByteRange>& range) {
    if (range)
        json.key(key).raw(nfqws2::format("[%lld,%lld]", static_cast<long long>(range->from),
                                         static_cast<long long>(range->to)));
}

// Where the name of the message stands, counted from the first byte of this packet; of a message in
// several packets it may be in another one.
std::optional<ByteRange> host_place(const Passage& p) {
    const Message message = message_of(p);
    std::optional<ByteRange> place = find_host(message.data, host_of(p));
    if (place && p.replay && p.reasm_data) {
        place->from -= p.replay->offset;
        place->to -= p.replay->offset;
    }
    return place;
}

// Of a packet sent in place of the one being handled, or beside it.
void write_places(JsonWriter& json, const Passage& p, Bytes packet) {
    const packet::Dissect d = packet::dissect(packet);
    if (!d.is_ip() || d.payload.empty() || d.fragment) return;
    write_range(json, "host_at", find_host(d.payload, host_of(p)));
    const bool same_way = d.l4 == p.dis.l4 && d.source() == p.dis.source();
    if (!same_way || p.dis.payload.empty()) return;
    const Message message = p.is_tcp() ? message_of(p) : Message{p.dis.payload, 0};
    write_range(json, "foreign", foreign_bytes(message, d.payload, number_of_data(d)));
}

void write_l4(JsonWriter& json, const packet::Dissect& d) {
    json.key("l4");
    switch (d.l4) {
    case packet::L4::tcp:
        return json.text("tcp");
    case packet::L4::udp:
        return json.text("udp");
    case packet::L4::icmp:
        return json.text(d.l4proto == packet::proto::icmpv6 ? "icmpv6" : "icmp");
    case packet::L4::none:
        break;
    }
    d.is_ip() ? json.number(d.l4proto) : json.null();
}

void write_tcp(JsonWriter& json, const Passage& p) {
    json.key("tcp");
    if (p.dis.l4 != packet::L4::tcp) return json.null();
    json.open_object();
    json.key("flags").text(tcp_flags_text(p.dis.tcp_flags()));
    json.key("seq").number(p.dis.tcp_seq());
    json.key("ack").number(p.dis.tcp_ack());
    json.key("rseq");
    const flow::Positions positions = p.positions ? *p.positions
                                      : p.track   ? p.track->positions()
                                                  : flow::Positions{};
    const flow::SidePositions& side = p.reverse ? positions.server : positions.client;
    side.seq0_known ? json.number(p.dis.tcp_seq() - side.seq0) : json.null();
    json.close_object();
}

} // namespace

void Trace::Record::clear() {
    passage = nullptr;
    out.clear();
    instances.clear();
    error.clear();
    rules.clear();
    rejected.clear();
    note = nullptr;
    held = false;
    sent = sent_before = 0;
    listed = omitted = 0;
    running = nullptr;
}

Trace::Trace(TraceFile file, const Clock& clock, bool timed, std::optional<unsigned> worker)
    : file_(std::move(file)), clock_(clock), timed_(timed), worker_(worker),
      start_ns_(file_->start(clock.boot_ns())) {
}

Trace::Trace(FlowWatcher& watcher, const Clock& clock, std::optional<unsigned> worker)
    : watcher_(&watcher), clock_(clock), timed_(true), worker_(worker), start_ns_(clock.boot_ns()) {
}

Trace::Record& Trace::current() {
    return depth_ == 0 ? timers_ : records_[depth_ - 1];
}

void Trace::begin(const Passage& p) {
    if (depth_ == records_.size()) records_.emplace_back();
    records_[depth_].clear();
    records_[depth_++].passage = &p;
}

void Trace::end(const Passage& p, const capture::Verdict& verdict) {
    Record& record = current();
    if (verdict.action == capture::Action::modify)
        add_out(record, "modified", verdict.data);
    else if (verdict.action == capture::Action::accept)
        add_out(record, "original", p.raw);
    line_.clear();
    if (verdict.action != capture::Action::split) write_line(p, verdict, record);
    if (--depth_ != 0) {
        nested_ += line_;
        return;
    }
    line_ += nested_;
    if (file_)
        file_->write(line_);
    else if (!line_.empty())
        watcher_->take(p.track, line_);
    nested_.clear();
}

void Trace::abandon() {
    depth_ = 0;
    nested_.clear();
}

std::vector<profile::Rejection>& Trace::rejections() {
    current().rejected.clear();
    return current().rejected;
}

void Trace::held() {
    current().held = true;
}

void Trace::rules(std::string json) {
    current().rules = std::move(json);
}

void Trace::note(const char* why) {
    current().note = why;
}

void Trace::all_cut_off(const profile::Profile& profile) {
    for (const profile::LuaInstance& instance : profile.instances)
        skipped(instance, lua::Skipped::lua_cutoff);
}

// --- what is sent

bool Trace::send(const capture::OutputPacket& packet) {
    Record& record = current();
    if (!sender_->send(packet)) return false;
    record.sent += packet.repeats;
    for (unsigned i = 0; i < packet.repeats; i++) {
        add_out(record, "generated", packet.data);
        if (record.listed < max_listed) continue;
        record.omitted += packet.repeats - i - 1;
        break;
    }
    return true;
}

void Trace::add_out(Record& record, const char* kind, Bytes packet) {
    if (record.listed == max_listed) {
        record.omitted++;
        return;
    }
    record.listed++;
    const bool generated = record.passage == nullptr || kind[0] == 'g';
    element_.clear();
    JsonWriter json(element_);
    json.open_object();
    json.key("kind").text(kind);
    json.key("len").number(packet.size());
    json.key("info").text(packet_text(
        packet, record.passage != nullptr ? record.passage->track : nullptr, generated));
    // What passes as it came is told by the line itself.
    if (record.passage != nullptr && kind[0] != 'o') write_places(json, *record.passage, packet);
    json.close_object();
    append(record.out, element_);
}

// --- instances

void Trace::skipped(const profile::LuaInstance& instance, lua::Skipped why) {
    Record& record = current();
    element_.clear();
    JsonWriter json(element_);
    json.open_object();
    json.key("func").text(instance.name);
    json.key("called").boolean(false);
    json.key("why").text(text_of(why));
    if (why == lua::Skipped::error)
        json.key("error").text("ended by the error of another instance");
    json.close_object();
    append(record.instances, element_);
}

void Trace::calling(const profile::LuaInstance& instance) {
    Record& record = current();
    record.running = &instance;
    record.sent_before = record.sent;
    record.since_ns = timed_ ? stopwatch_ns() : 0;
}

void Trace::add_called(Record& record, const char* verdict, std::string_view error) {
    const std::int64_t spent_ns = timed_ ? stopwatch_ns() - record.since_ns : 0;
    element_.clear();
    JsonWriter json(element_);
    json.open_object();
    json.key("func").text(record.running->name);
    json.key("called").boolean(verdict != nullptr);
    if (verdict != nullptr) {
        json.key("verdict").text(verdict);
    } else {
        json.key("why").text(text_of(lua::Skipped::error));
        json.key("error").text(error);
    }
    json.key("sent").number(record.sent - record.sent_before);
    json.key("us").number(static_cast<std::uint64_t>(spent_ns / 1000));
    json.close_object();
    append(record.instances, element_);
}

void Trace::returned(int verdict) {
    static constexpr const char* names[] = {"pass", "modify", "drop", "drop"};
    add_called(current(), names[verdict & 3], {});
}

void Trace::failed(std::string_view error) {
    add_called(current(), nullptr, error);
}

void Trace::rebuild_failed(std::string_view error) {
    current().error = error;
}

// --- the line

namespace {

void write_ct(JsonWriter& json, const Passage& p) {
    if (!p.ct || !p.ct->shown) return;
    const packet::CtFacts& facts = p.ct->facts;
    json.key("ct").open_object();
    json.key("source").text(name(facts.source));
    json.key("state").text(name(facts.state));
    if (facts.direction != packet::CtDirection::unknown)
        json.key("dir").text(facts.direction == packet::CtDirection::reply ? "reply" : "original");
    if (facts.connection) {
        const packet::Connection& c = *facts.connection;
        if (c.id) json.key("id").number(*c.id);
        if (c.mark) json.key("mark").number(*c.mark);
        if (!c.helper.empty()) json.key("helper").text(c.helper.text());
    }
    json.close_object();
}

} // namespace

void Trace::begin_line(JsonWriter& json, std::optional<std::uint64_t> number) const {
    json.key("n");
    number ? json.number(*number) : json.null();
    if (worker_) json.key("worker").number(*worker_);
    constexpr std::int64_t second = 1'000'000'000;
    const std::int64_t since = clock_.boot_ns() - start_ns_;
    json.key("t").raw(nfqws2::format("%lld.%09lld", static_cast<long long>(since / second),
                                     static_cast<long long>(since % second)));
}

void Trace::write_packet(JsonWriter& json, const Passage& p) const {
    const packet::Dissect& d = p.dis;
    json.key("flow");
    p.track != nullptr ? json.number(p.track->number()) : json.null();
    json.key("dir").text(p.incoming ? "in" : "out");
    json.key("l3").text_or_null(d.l3 == packet::L3::ipv4   ? "ipv4"
                                : d.l3 == packet::L3::ipv6 ? "ipv6"
                                                           : "");
    write_l4(json, d);
    json.key("src").text_or_null(d.is_ip() ? source_text(d) : "");
    json.key("dst").text_or_null(d.is_ip() ? destination_text(d) : "");
    json.key("len").number(d.is_ip() ? d.packet.size() : p.raw.size());
    json.key("dlen").number(d.payload.size());
    write_tcp(json, p);
    json.key("payload").text(protocol::name(p.payload));
    json.key("l7").text(protocol::name(p.l7));
    json.key("host").text_or_null(host_of(p));
    write_range(json, "host_at", host_place(p));
}

void Trace::write_profile(JsonWriter& json, const Passage& p, const Record& record) const {
    json.key("profile");
    if (p.profile != nullptr) {
        json.open_object();
        json.key("n").number(p.profile->number);
        json.key("name").text_or_null(p.profile->profile_name);
        json.close_object();
    } else {
        json.null();
    }
    json.key("rejected").open_array();
    for (const profile::Rejection& rejection : record.rejected) {
        json.open_object();
        json.key("n").number(rejection.profile);
        json.key("by").text(rejection.by);
        if (!rejection.list.empty()) json.key("list").text(rejection.list);
        if (!rejection.entry.empty()) json.key("entry").text(rejection.entry);
        json.close_object();
    }
    json.close_array();
    json.key("instances").open_array();
    json.raw(record.instances);
    json.close_array();
}

void Trace::write_learned(JsonWriter& json, const Passage& p) const {
    if (state_ == nullptr || p.track == nullptr) return;
    const auto learned = state_->learned(*p.track);
    if (!learned) return;
    json.key("learn").open_object();
    json.key("host").text(learned->host);
    json.key("strategy").number(learned->strategy);
    json.key("why").text(learned->why);
    if (!learned->result.empty()) json.key("result").text(learned->result);
    json.close_object();
}

void Trace::write_out(JsonWriter& json, const Record& record) const {
    json.key("out").open_array();
    json.raw(record.out);
    json.close_array();
    if (record.omitted != 0) json.key("out_omitted").number(record.omitted);
}

void Trace::write_line(const Passage& p, const capture::Verdict& verdict, const Record& record) {
    JsonWriter json(line_);
    json.open_object();
    begin_line(json, p.number);
    write_packet(json, p);
    write_profile(json, p, record);
    write_learned(json, p);
    write_ct(json, p);
    json.key("replay");
    if (p.replay) {
        json.open_object();
        json.key("piece").number(p.replay->piece);
        json.key("of").number(p.replay->count);
        json.close_object();
    } else {
        json.null();
    }
    json.key("held").boolean(record.held);
    if (!record.rules.empty()) json.key("rules").raw(record.rules);
    if (record.note != nullptr) json.key("note").text(record.note);
    if (!record.error.empty()) json.key("error").text(record.error);
    json.key("verdict").text(text_of(verdict.action));
    write_out(json, record);
    json.close_object();
    line_ += '\n';
}

void Trace::sent(const capture::NetlinkMessage& message) {
    element_.clear();
    JsonWriter json(element_);
    json.open_object();
    begin_line(json, std::nullopt);
    json.key("netlink").open_object();
    json.key("port").number(message.port);
    json.key("groups").number(message.groups);
    json.key("len").number(message.payload.size());
    json.close_object();
    json.close_object();
    element_ += '\n';
    if (depth_ != 0)
        nested_ += element_;
    else if (file_)
        file_->write(element_);
}

void Trace::end_timers() {
    if (timers_.out.empty()) return;
    line_.clear();
    JsonWriter json(line_);
    json.open_object();
    begin_line(json, std::nullopt);
    json.key("note").text("timer");
    write_out(json, timers_);
    json.close_object();
    line_ += '\n';
    if (file_) file_->write(line_);
    timers_.clear();
}

} // namespace nfqws2::engine
