// Theory of operation. Each packet gets its PacketCt when its flow was looked for. Simulated facts
// are computed then, since every packet moves the simulation on; what has to be asked of the kernel
// is asked when somebody wants to know, at most once per packet.
//
// The state of the first packet of a flow is kept with the flow: profile filters compare that one
// at every search (docs/contracts/profiles.md#filters-of-the-kernels-connection).
#include "ct_facts.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/capture/ct_message.hpp"
#include "nfqws2/protocol/detect.hpp"
#include "passage.hpp"

#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace nfqws2::engine {

namespace {

using packet::CtDirection;
using packet::CtSource;
using packet::CtState;

// Of three bits of the packet's mark; unknown if they say nothing.
CtState state_of_mark(std::uint32_t mark, std::uint32_t mask) {
    if (mask == 0) return CtState::unknown;
    const std::uint32_t value = (mark & mask) >> std::countr_zero(mask);
    constexpr auto last = static_cast<std::uint32_t>(CtState::untracked);
    return value <= last ? static_cast<CtState>(value) : CtState::unknown;
}

bool quotes_packet(const Passage& p) {
    return p.dis.l4 == packet::L4::icmp && !p.dis.payload.empty() &&
           protocol::icmp_type_quotes_packet(p.dis.icmp_type());
}

SipKey key_of(const Options& options) {
    return options.seeded ? SipKey{options.seed, 0x636f6e6e7472636bU} : SipKey::random();
}

} // namespace

CtFacts::CtFacts(const Options& options, CtSource source, For whom, const Services& services,
                 const flow::ConnectionTable* connections, const Clock& clock)
    : source_(source), whom_(whom), state_mark_(options.ct_state_mark), clock_(clock),
      requests_(services.ct_requests), profiles_(*services.profiles) {
    if (source_ != CtSource::sim) return;
    sim_ = std::make_unique<flow::CtSim>(
        flow::CtSim::Options{options.ct_ftp_ports, key_of(options), services.memory}, connections,
        clock);
}

CtFacts::~CtFacts() = default;

void CtFacts::begin(Passage& p) {
    PacketCt& ct = p.ct.emplace();
    ct.shown = whom_ == For::everybody;
    ct.facts.source = source_;
    ct.tuple = flow::ct_tuple_of(p.dis);
}

void CtFacts::begin_about(Passage& p, const packet::Dissect& quoted) {
    PacketCt& ct = p.ct.emplace();
    ct.shown = whom_ == For::everybody;
    ct.facts.source = source_;
    ct.about = true;
    ct.tuple = flow::ct_tuple_of(quoted);
}

packet::CtFacts CtFacts::foreseen(Passage& p, bool all) {
    if (sim_) return foreseen_simulation(p);
    if (!p.ct) {
        if (quotes_packet(p))
            begin_about(p, packet::dissect(p.dis.payload, packet::Completeness::partial));
        else
            begin(p);
    }
    p.ct->foreseen = true;
    if (all) return facts(p);
    state(p);
    return p.ct->facts;
}

packet::CtFacts CtFacts::foreseen_simulation(Passage& p) const {
    PacketCt ct;
    ct.about = quotes_packet(p);
    ct.tuple =
        ct.about ? flow::ct_tuple_of(packet::dissect(p.dis.payload, packet::Completeness::partial))
                 : flow::ct_tuple_of(p.dis);
    const flow::CtRef known = ct.tuple ? sim_->find(*ct.tuple) : flow::CtRef{};
    if (known) {
        ct.facts.connection = sim_->describe(known);
        ct.facts.direction =
            ct.facts.connection->orig == *ct.tuple ? CtDirection::original : CtDirection::reply;
        judge(ct, false);
    } else {
        const bool fresh = !ct.about && ct.tuple && flow::may_begin_connection(p.dis);
        ct.facts.state = fresh ? CtState::fresh : CtState::invalid;
    }
    return ct.facts;
}

// Of the kernel something may be known already: rules have asked.
void CtFacts::arrives(Passage& p) {
    if (!sim_) {
        if (!p.ct || !std::exchange(p.ct->foreseen, false)) begin(p);
        if (!pending_.empty()) remind_pending(*p.ct);
        return;
    }
    PacketCt& ct = p.ct.emplace();
    ct.shown = whom_ == For::everybody;
    ct.facts.source = source_;
    ct.seen = sim_->arrives(p.dis, p.track, p.reverse);
    ct.facts.state = ct.seen.state;
    ct.facts.direction = ct.seen.direction;
    ct.state_known = true;
}

void CtFacts::arrives_about(Passage& p, const packet::Dissect& quoted, bool quoted_reverse) {
    if (!sim_) {
        if (!p.ct || !std::exchange(p.ct->foreseen, false)) begin_about(p, quoted);
        return;
    }
    PacketCt& ct = p.ct.emplace();
    ct.shown = whom_ == For::everybody;
    ct.facts.source = source_;
    ct.about = true;
    ct.seen = sim_->arrives_about(quoted, p.track, quoted_reverse);
    ct.facts.state = ct.seen.state;
    ct.facts.direction = ct.seen.direction;
    ct.state_known = true;
}

std::shared_ptr<const packet::CtFacts> CtFacts::kept(Passage& p) {
    return std::make_shared<const packet::CtFacts>(facts(p));
}

void CtFacts::resumes(Passage& p) {
    PacketCt& ct = p.ct.emplace();
    ct.shown = whom_ == For::everybody;
    ct.resumed = true;
    ct.facts.source = source_;
    if (p.ct_of_held != nullptr) {
        ct.facts = *p.ct_of_held;
        ct.state_known = ct.asked = true;
    }
    ct.tuple = flow::ct_tuple_of(p.dis);
    if (sim_ && p.track != nullptr) ct.seen.connection = sim_->find(*p.track);
}

void CtFacts::leaves(Passage& p, capture::Verdict& verdict, bool told) {
    if (!p.ct) return;
    if (told && p.ct->shown && (sim_ || source_ == CtSource::queue)) facts(p);
    if (!p.ct->changes.empty() && verdict.action != capture::Action::drop) {
        verdict_changes_ = p.ct->changes;
        if (verdict_changes_.status) // the kernel wants all bits
            *verdict_changes_.status |= p.ct->facts.connection->status.value_or(0);
        verdict.ct = &verdict_changes_;
    }
    if (!sim_) return;
    if (verdict.action == capture::Action::drop && !p.kept)
        sim_->dropped(p.ct->seen);
    else if (!p.kept)
        sim_->passed(p.ct->seen);
}

void CtFacts::track_ended(const flow::Track& track) {
    if (sim_) sim_->track_ended(track);
}

CtState CtFacts::state(Passage& p) {
    if (!p.ct) return CtState::unknown;
    if (!p.ct->state_known) ask_state(p);
    return p.ct->facts.state;
}

// The mark, and what came with the packet, say it without a request.
void CtFacts::ask_state(Passage& p) {
    PacketCt& ct = *p.ct;
    const CtState told = state_of_mark(p.mark, state_mark_);
    ct.state_known = true;
    ct.facts.state = told;
    ct.facts.exact = told != CtState::unknown;
    if (source_ == CtSource::queue) read_attribute(p);
    if (ct.facts.state == CtState::unknown) ask(p);
}

// Packets without a connection come without the attributes.
void CtFacts::read_attribute(Passage& p) {
    PacketCt& ct = *p.ct;
    if (ct.resumed) return;
    ct.asked = true;
    const bool told = ct.facts.exact;
    if (!p.ct_info || p.ct_attribute.empty()) {
        if (!told) ct.facts.state = CtState::invalid;
        return;
    }
    const capture::CtInfo info = capture::ct_info(*p.ct_info);
    ct.facts.direction = info.direction;
    if (!told) ct.facts.state = info.state;
    ct.facts.exact = true;
    packet::Connection connection;
    if (capture::parse_connection(p.ct_attribute, connection)) ct.facts.connection = connection;
}

void CtFacts::ask(Passage& p) {
    PacketCt& ct = *p.ct;
    if (!ct.state_known) {
        ask_state(p);
        if (ct.asked) return;
    }
    if (ct.asked) return;
    ct.asked = true;
    if (requests_ == nullptr || !ct.tuple) return;
    int error = 0;
    const auto answer = requests_->get(*ct.tuple, 0, &error);
    const bool told = ct.facts.exact; // by the mark
    if (answer) {
        ct.facts.connection = answer->connection;
        ct.facts.direction = answer->reply != ct.about ? CtDirection::reply : CtDirection::original;
        judge(ct, told);
    } else if (!told && error == ENOENT) {
        const bool fresh = !ct.about && flow::may_begin_connection(p.dis);
        ct.facts.state = fresh ? CtState::fresh : CtState::invalid;
        if (fresh) ct.facts.direction = CtDirection::original;
    }
}

// What an entry of the table says of a packet.
void CtFacts::judge(PacketCt& ct, bool told) const {
    if (told) return;
    ct.facts.exact = true;
    const std::uint32_t status = ct.facts.connection->status.value_or(0);
    if (ct.about)
        ct.facts.state = CtState::related;
    else if (ct.facts.direction == CtDirection::reply ||
             (status & packet::ct_status::seen_reply) != 0)
        ct.facts.state = CtState::established;
    else
        ct.facts.state =
            (status & packet::ct_status::expected) != 0 ? CtState::related : CtState::fresh;
}

// Simulated ones are described anew each time: scripts change them.
const packet::CtFacts& CtFacts::facts(Passage& p) {
    static const packet::CtFacts nothing;
    if (!p.ct) return nothing;
    PacketCt& ct = *p.ct;
    if (sim_) {
        if (ct.seen.connection)
            ct.facts.connection = sim_->describe(ct.seen.connection);
        else
            ct.facts.connection.reset();
    } else if (!ct.asked) {
        ask(p);
    }
    return ct.facts;
}

void CtFacts::show(Passage& p, profile::Query& q) {
    if (!profiles_.needs_ct()) return;
    if (!p.ct) { // asked before its turn, whether a merged packet may pass whole
        if (p.track != nullptr) q.ct.state = p.track->first_ct_state();
        return;
    }
    const bool for_nothing = sim_ != nullptr || source_ == CtSource::queue;
    if (!for_nothing && !profiles_.needs_ct_details())
        state(p);
    else
        facts(p);
    const packet::CtFacts& known = p.ct->facts;
    q.ct.state = known.state;
    if (p.track != nullptr && !p.ct->about) {
        if (p.track->first_ct_state() == CtState::unknown) p.track->set_first_ct_state(known.state);
        q.ct.state = p.track->first_ct_state();
    }
    if (!p.ct->facts.connection) return;
    packet::Connection& c = *p.ct->facts.connection;
    ask_master(c);
    q.ct.mark = c.mark.value_or(0);
    q.ct.status = c.status.value_or(0);
    q.ct.zone = c.zone;
    q.ct.helper = c.helper.text();
    q.ct.master_helper = c.master_helper.text();
}

// The kernel tells of a master only which it is.
void CtFacts::ask_master(packet::Connection& c) {
    if (!c.master || requests_ == nullptr || !profiles_.needs_ct_details()) return;
    int error = 0;
    if (const auto answer = requests_->get(*c.master, c.zone, &error))
        c.master_helper = answer->connection.helper;
}

const char* CtFacts::set(Passage& p, const packet::CtChanges& changes) {
    constexpr const char* no_connection = "the packet has no connection";
    constexpr std::size_t most_pending = 256;
    constexpr std::int64_t pending_life_s = 60;
    if (!p.ct) return no_connection;
    if (sim_) {
        if (!p.ct->seen.connection) return no_connection;
        sim_->set(p.ct->seen.connection, changes);
        return nullptr;
    }
    const packet::CtFacts& known = facts(p);
    if (known.state == CtState::invalid || known.state == CtState::untracked) return no_connection;
    if (source_ == CtSource::queue && !p.ct->resumed) {
        if (!known.connection) return no_connection;
        p.ct->changes.add(changes);
        return nullptr;
    }
    if (requests_ == nullptr || !p.ct->tuple) return "the kernel cannot be asked for it";
    if (pending_.size() >= most_pending && !give_up_oldest()) return "too many changes wait";
    const packet::CtTuple& orig = known.connection ? known.connection->orig : *p.ct->tuple;
    pending_.push_back({orig, known.connection ? known.connection->zone : std::uint16_t{0}, changes,
                        clock_.boot_s() + pending_life_s, 0, true});
    return nullptr;
}

// Of those that wait for a connection which may never come.
bool CtFacts::give_up_oldest() {
    const auto old = std::find_if(pending_.begin(), pending_.end(),
                                  [](const Pending& change) { return !change.due; });
    if (old == pending_.end()) return false;
    pending_.erase(old);
    lost_changes_++;
    return true;
}

// Those whose connection was not there wait for a further packet of it, but not for ever.
void CtFacts::send_pending() {
    constexpr unsigned most_tries = 4;
    const std::int64_t now_s = clock_.boot_s();
    std::erase_if(pending_, [&](Pending& change) {
        if (!change.due) {
            if (change.expires_s > now_s) return false;
            lose("its connection never came");
            return true;
        }
        const int error = requests_->update(change.orig, change.zone, change.changes);
        if (error == 0) return true;
        change.due = false;
        if ((error == ENOENT || error == EAGAIN) && ++change.tries < most_tries) return false;
        lose(std::strerror(error));
        return true;
    });
}

void CtFacts::lose(const char* why) {
    lost_changes_++;
    static thread_local log::RateLimit limit(60'000);
    if (limit.allow())
        log::error("%llu changes of connections were refused, the last one: %s",
                   static_cast<unsigned long long>(lost_changes_), why);
}

void CtFacts::remind_pending(const PacketCt& ct) {
    if (!ct.tuple) return;
    const packet::CtTuple back = flow::ct_reply_to(*ct.tuple);
    for (Pending& change : pending_)
        if (change.orig == *ct.tuple || change.orig == back) change.due = true;
}

int CtFacts::expect(Passage& p, const packet::CtExpectation& expectation) {
    if (!p.ct) return ENOENT;
    packet::CtExpectation wanted = expectation;
    if (wanted.tuple.proto == 0) wanted.tuple.proto = p.dis.l4proto;
    if (sim_) return p.ct->seen.connection ? sim_->expect(p.ct->seen.connection, wanted) : ENOENT;
    const packet::CtFacts& known = facts(p);
    if (requests_ == nullptr || !known.connection) return ENOENT;
    return requests_->expect(known.connection->orig, wanted);
}

std::optional<packet::Connection> CtFacts::find(const packet::CtTuple& tuple, std::uint16_t zone,
                                                int* error) {
    *error = ENOENT;
    if (sim_) {
        const flow::CtRef found = zone == 0 ? sim_->find(tuple) : flow::CtRef{};
        if (!found) return std::nullopt;
        return sim_->describe(found);
    }
    if (requests_ == nullptr) return std::nullopt;
    const auto answer = requests_->get(tuple, zone, error);
    if (!answer) return std::nullopt;
    return answer->connection;
}

// Such packets have no flow of the program.
void CtFacts::arrives(const capture::InputPacket& packet) {
    Passage& p = *queued_.emplace_back(std::make_unique<Passage>());
    p.raw = packet.data;
    p.dis = packet::dissect(packet.data);
    p.mark = packet.mark;
    p.ct_attribute = packet.ct;
    p.ct_info = packet.ct_info;
    const bool icmp = p.dis.l4 == packet::L4::icmp;
    if (icmp && protocol::icmp_type_quotes_packet(p.dis.icmp_type()))
        arrives_about(p, packet::dissect(p.dis.payload, packet::Completeness::partial), false);
    else
        arrives(p);
}

const packet::CtFacts& CtFacts::facts() {
    static const packet::CtFacts nothing;
    if (queued_.empty()) return nothing;
    state(*queued_.back());
    return facts(*queued_.back());
}

void CtFacts::leaves(bool dropped) {
    if (queued_.empty()) return;
    const std::unique_ptr<Passage> left = std::move(queued_.back());
    queued_.pop_back();
    if (sim_ && dropped) sim_->dropped(left->ct->seen);
    if (sim_ && !dropped) sim_->passed(left->ct->seen);
}

void CtFacts::sees_sent(const capture::OutputPacket& packet) {
    if (sim_) sim_->sent(packet::dissect(packet.data));
}

} // namespace nfqws2::engine
