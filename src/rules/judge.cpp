// Theory of operation. The first profile whose tests hold judges the packet: its chain `main` from
// the top, each rule whose tests hold runs its actions. A terminal action ends that; `goto` goes on
// in another chain, from which there is no way back; behind the last rule of a chain the policy
// decides. In a profile that only observes everything runs, but the packet is left alone.
#include "nfqws2/rules/judge.hpp"

#include "answer.hpp"
#include "facts.hpp"
#include "translate.hpp"
#include "words.hpp"

#include "nfqws2/base/json.hpp"
#include "nfqws2/rules/outputs.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <utility>

namespace nfqws2::rules {
namespace {

std::uint8_t register_value(const RateVerdict& verdict) {
    std::uint8_t value = outcome::conform;
    if (verdict.level == RateLevel::exceed) value = outcome::exceed;
    if (verdict.level == RateLevel::violate) value = outcome::violate;
    return verdict.cooling ? static_cast<std::uint8_t>(value | outcome::cooldown) : value;
}

std::string register_text(const Registers& registers) {
    if (registers.algorithm == Algorithm::none) return "";
    std::string text(name_of(algorithm_words(), static_cast<std::uint32_t>(registers.algorithm)));
    for (const Word& word : outcome_words(registers.algorithm))
        if ((registers.value & word.value) != 0 && word.value != outcome::cooldown)
            text += ":" + std::string(word.name);
    if ((registers.value & outcome::cooldown) != 0) text += " (cooldown)";
    return text;
}

} // namespace

// Counted by one thread, read by any: relaxed, since each number stands for itself.
class Tally {
  public:
    void take(const Subject& subject) {
        add(packets_, subject.packets);
        add(bytes_, subject.packet.size());
    }
    void dropped(std::uint64_t packets) { add(dropped_, packets); }
    void seen_at(std::int64_t now_ns) { last_ns_.store(now_ns, std::memory_order_relaxed); }
    void go_on_from(const Tally& before) {
        add(packets_, before.counts().packets);
        add(bytes_, before.counts().bytes);
        add(dropped_, before.counts().dropped);
        seen_at(before.last_ns());
    }
    Judge::Counts counts() const { return {get(packets_), get(bytes_), get(dropped_)}; }
    std::int64_t last_ns() const { return last_ns_.load(std::memory_order_relaxed); }

  private:
    using Number = std::atomic<std::uint64_t>;
    static std::uint64_t get(const Number& number) {
        return number.load(std::memory_order_relaxed);
    }
    static void add(Number& number, std::uint64_t more) {
        number.store(get(number) + more, std::memory_order_relaxed);
    }
    Number packets_{0}, bytes_{0}, dropped_{0};
    std::atomic<std::int64_t> last_ns_{0};
};

class Judge::Run {
  public:
    Run(Tables& tables, Random& random, std::function<void(Bytes)> answer)
        : tables_(tables), random_(random), answer_(std::move(answer)), facts_(tables) {}

    void replace(std::shared_ptr<const InForce> rules);
    Ruling judge(const Subject& subject);

    Outputs* outputs = nullptr;
    std::shared_ptr<const InForce> rules;
    std::vector<Tally> by_rule, by_counter; // as the program numbers them
    Tally all;
    mutable std::mutex lock;         // of what a reload replaces, for those who read the counts
    std::vector<std::uint32_t> hits; // rules of the last packet
    const Profile* profile = nullptr;
    const Registers& registers() const { return facts_.registers; }

  private:
    // What an action has to say about the way on.
    enum class Next : std::uint8_t { go_on, end, chain };

    const Profile* choose();
    void walk();
    Next run(const Rule& rule, Tally& counts);
    void end_of_rules();
    void drop(Tally* counts);
    void write_out(const Subject& as_received);
    std::string record(const Subject& as_received, std::string_view rule);

    Next act(const action::Accept&);
    Next act(const action::Drop&);
    Next act(const action::SetLevel& how);
    Next act(const action::Pass& how);
    Next act(const action::Goto& how);
    Next act(const action::Count& how);
    Next act(const action::LocalMark& how);
    Next act(const action::StoredMark& how);
    Next act(const action::RateLimit& how);
    Next act(const action::Rate& how);
    Next act(const action::Sample& how);
    Next act(const action::TcpAuth& how);
    Next act(const action::SetVerdict& how);
    Next act(const action::Switch& how);
    Next act(const action::Translate& how);

    bool observes() const {
        return (profile != nullptr && profile->observe) ||
               tables_.observe.load(std::memory_order_relaxed);
    }
    void set_register(Algorithm algorithm, std::uint8_t value) {
        facts_.registers.algorithm = algorithm;
        facts_.registers.value = value;
    }
    AuthPacket auth_packet() const;

    Tables& tables_;
    Random& random_;
    std::function<void(Bytes)> answer_;
    Facts facts_;
    std::vector<Sampler> samplers_;
    AnswerLimit limit_;
    std::vector<std::uint8_t> changed_;
    Ruling ruling_;
    std::uint32_t chain_ = 0;
    Tally* counting_ = nullptr; // the rule whose actions run
};

[[gnu::cold]] void Judge::Run::replace(std::shared_ptr<const InForce> next) {
    const Program& program = *next->program;
    std::vector<Tally> of_rules(program.rules.size()), of_counters(program.counters.size());
    if (rules != nullptr) {
        const Program& before = *rules->program;
        using Name = std::pair<std::string_view, std::string_view>;
        const auto name = [](const Program& of, std::size_t i) { // a rule's is its profile's own
            return Name(of.profiles[of.rules[i].profile].name, of.rules[i].name);
        };
        std::map<Name, const Tally*> known_rules;
        for (std::size_t i = 0; i < by_rule.size(); i++)
            known_rules[name(before, i)] = &by_rule[i];
        for (std::size_t i = 0; i < of_rules.size(); i++)
            if (const auto at = known_rules.find(name(program, i)); at != known_rules.end())
                of_rules[i].go_on_from(*at->second);
        std::map<std::string_view, const Tally*> known;
        for (std::size_t i = 0; i < by_counter.size(); i++)
            known[before.counters[i]] = &by_counter[i];
        for (std::size_t i = 0; i < of_counters.size(); i++)
            if (const auto at = known.find(program.counters[i]); at != known.end())
                of_counters[i].go_on_from(*at->second);
    }
    samplers_.assign(program.samples, Sampler(1, Sampler::How::every));
    for (const Action& action : program.actions)
        if (const auto* sample = std::get_if<action::Sample>(&action))
            samplers_[sample->number] =
                Sampler(sample->n, sample->random ? Sampler::How::random : Sampler::How::every);
    hits.clear();
    profile = nullptr;
    const std::lock_guard guard(lock);
    by_rule.swap(of_rules);
    by_counter.swap(of_counters);
    rules = std::move(next);
    facts_.use(*rules);
}

Ruling Judge::Run::judge(const Subject& subject) {
    facts_.begin(subject);
    ruling_ = {};
    hits.clear();
    all.take(subject);
    profile = choose();
    if (profile != nullptr)
        walk();
    else
        end_of_rules();
    ruling_.shallow = facts_.registers.shallow;
    if (facts_.registers.capture || facts_.registers.exporting) write_out(subject);
    return ruling_;
}

void Judge::Run::write_out(const Subject& as_received) {
    if (outputs == nullptr) return;
    const std::string_view rule =
        hits.empty() ? std::string_view() : rules->program->rules[hits.back()].name;
    const std::string_view interface =
        as_received.ifin.empty() ? as_received.ifout : as_received.ifin;
    if (facts_.registers.capture && outputs->captures())
        outputs->capture(as_received.packet, interface, rule);
    if (facts_.registers.exporting && outputs->exports())
        outputs->write_record(record(as_received, rule));
}

// The addresses are those of the packet as it leaves the rules.
std::string Judge::Run::record(const Subject& as_received, std::string_view rule) {
    static constexpr const char* decisions[] = {"continue", "accept", "drop"};
    const IpLayer& ip = facts_.layers().net;
    std::string text;
    JsonWriter json(text);
    json.open_object();
    json.key("t_ms").number(static_cast<std::uint64_t>(outputs->unix_ns() / 1'000'000));
    json.key("rule").text_or_null(rule);
    json.key("action").text(decisions[static_cast<std::size_t>(ruling_.decision)]);
    json.key("protocol").number(ip.protocol);
    json.key("src").text_or_null(ip.source.empty() ? std::string() : ip.source.text());
    json.key("dst").text_or_null(ip.destination.empty() ? std::string() : ip.destination.text());
    for (const auto& [name, end] :
         {std::pair("sport", End::source), std::pair("dport", End::destination)}) {
        const auto port = facts_.port(end);
        json.key(name);
        port ? json.number(*port) : json.null();
    }
    json.key("length").number(as_received.packet.size());
    json.key("country").text_or_null(facts_.country(End::source));
    json.key("mark").number(facts_.registers.mark);
    json.key("fwmark").number(ruling_.mark.value_or(as_received.mark));
    json.close_object();
    return text;
}

const Profile* Judge::Run::choose() {
    for (const Profile& candidate : rules->program->profiles) {
        facts_.use_view(candidate.view);
        if (facts_.all_hold(candidate.tests)) return &candidate;
    }
    return nullptr;
}

void Judge::Run::walk() {
    const Program& program = *rules->program;
    chain_ = profile->main;
    Next next = Next::chain;
    while (next == Next::chain) {
        next = Next::go_on;
        const Slice list = program.chains[chain_].rules;
        for (std::uint32_t i = list.begin; i < list.end && next == Next::go_on; i++) {
            const Rule& rule = program.rules[i];
            if (!facts_.all_hold(rule.tests)) continue;
            hits.push_back(i);
            next = run(rule, by_rule[i]);
        }
    }
    if (next == Next::go_on) end_of_rules();
}

Judge::Run::Next Judge::Run::run(const Rule& rule, Tally& counts) {
    counts.take(facts_.subject());
    counting_ = &counts;
    for (std::uint32_t i = rule.actions.begin; i < rule.actions.end; i++) {
        const Next next =
            std::visit([this](const auto& how) { return act(how); }, rules->program->actions[i]);
        if (next != Next::go_on) return next;
    }
    return Next::go_on;
}

void Judge::Run::end_of_rules() {
    if (rules->program->policy == Policy::accept) ruling_.decision = Decision::accept;
    if (rules->program->policy == Policy::drop) drop(nullptr);
}

void Judge::Run::drop(Tally* counts) {
    all.dropped(facts_.subject().packets);
    if (counts != nullptr) counts->dropped(facts_.subject().packets);
    if (!observes()) ruling_.decision = Decision::drop;
}

Judge::Run::Next Judge::Run::act(const action::Accept&) {
    ruling_.decision = Decision::accept;
    return Next::end;
}

Judge::Run::Next Judge::Run::act(const action::Drop&) {
    drop(counting_);
    return Next::end;
}

Judge::Run::Next Judge::Run::act(const action::SetLevel& how) {
    facts_.registers.shallow = how.shallow;
    return Next::go_on;
}

// A tag or an address of a frame that is not known is not there.
Judge::Run::Next Judge::Run::act(const action::Pass& how) {
    if (how.vlan && !facts_.layers().has_tag(*how.vlan)) return Next::go_on;
    if (how.mac && !facts_.layers().goes_to(*how.mac)) return Next::go_on;
    if (how.pipeline)
        facts_.registers.shallow = how.shallow;
    else
        ruling_.decision = Decision::accept;
    return Next::end;
}

Judge::Run::Next Judge::Run::act(const action::Goto& how) {
    chain_ = how.chain;
    return Next::chain;
}

Judge::Run::Next Judge::Run::act(const action::Count& how) {
    Tally& counter = by_counter[how.counter];
    counter.take(facts_.subject());
    counter.seen_at(facts_.subject().now_ns);
    return Next::go_on;
}

// The common mark of the local one is the packet's firewall mark.
Judge::Run::Next Judge::Run::act(const action::LocalMark& how) {
    std::uint32_t& mark = facts_.registers.mark;
    if (how.how == MarkHow::save)
        ruling_.mark = mark;
    else if (how.how == MarkHow::restore)
        mark = ruling_.mark.value_or(facts_.subject().mark);
    else
        mark = apply_mark_how(how.how, mark, how.value);
    return Next::go_on;
}

// The common mark of these is the local one.
Judge::Run::Next Judge::Run::act(const action::StoredMark& how) {
    const Subject& subject = facts_.subject();
    if (!facts_.layers().has(Layer::net)) return Next::go_on;
    if (how.how == MarkHow::save) {
        const Mark mark = facts_.mark(how.kind, how.id);
        if (mark.status == MarkStatus::valid) facts_.registers.mark = mark.value;
        return Next::go_on;
    }
    const bool restores = how.how == MarkHow::restore;
    tables_.marks.write(facts_.mark_key(how.kind, how.id), restores ? MarkHow::set : how.how,
                        restores ? facts_.registers.mark : how.value, how.lifetime_ns,
                        subject.now_ns);
    facts_.forget_marks();
    return Next::go_on;
}

Judge::Run::Next Judge::Run::act(const action::RateLimit& how) {
    RateLimit& meter = *rules->ratelimits[how.meter];
    const Subject& subject = facts_.subject();
    const BucketKey key = facts_.bucket_key(meter.parameters().key_fields);
    set_register(
        Algorithm::ratelimit,
        register_value(meter.count(key, subject.packets, subject.packet.size(), subject.now_ns)));
    return Next::go_on;
}

Judge::Run::Next Judge::Run::act(const action::Rate& how) {
    const Subject& subject = facts_.subject();
    set_register(Algorithm::rate, register_value(rules->rates[how.meter]->count(
                                      subject.packets, subject.packet.size(), subject.now_ns)));
    return Next::go_on;
}

Judge::Run::Next Judge::Run::act(const action::Sample& how) {
    const bool taken = how.key != 0 ? sample_by_key(tables_.key, facts_.bucket_key(how.key), how.n)
                                    : samplers_[how.number].take(facts_.subject().packets, random_);
    set_register(Algorithm::sample, taken ? outcome::match : outcome::skip);
    return Next::go_on;
}

AuthPacket Judge::Run::auth_packet() const {
    const Bytes header = facts_.layers().transport();
    const IpLayer& ip = facts_.layers().net;
    AuthPacket packet;
    packet.source = ip.source;
    packet.destination = ip.destination;
    packet.source_port = load_be16(&header[0]);
    packet.destination_port = load_be16(&header[2]);
    packet.seq = load_be32(&header[4]);
    packet.ack = load_be32(&header[8]);
    packet.flags = header[13];
    packet.fragment = ip.fragment();
    return packet;
}

// Of a tunnel the outer end points are no TCP.
Judge::Run::Next Judge::Run::act(const action::TcpAuth& how) {
    if (!facts_.layers().is_tcp() || facts_.layers().has(Layer::tun)) return Next::go_on;
    const AuthDecision decision = tables_.authentication.check(
        how.id, how.parameters, auth_packet(), facts_.subject().now_ns, random_, limit_);
    if (decision.verdict == AuthVerdict::valid) set_register(Algorithm::tcpauth, outcome::valid);
    if (decision.verdict == AuthVerdict::invalid)
        set_register(Algorithm::tcpauth, outcome::invalid);
    if (decision.answer.kind != AuthAnswer::Kind::none && !observes())
        answer_(build_answer(decision.answer));
    return Next::go_on;
}

Judge::Run::Next Judge::Run::act(const action::SetVerdict& how) {
    set_register(how.algorithm, how.value);
    return Next::go_on;
}

Judge::Run::Next Judge::Run::act(const action::Switch& how) {
    (how.capture ? facts_.registers.capture : facts_.registers.exporting) = how.on;
    return Next::go_on;
}

Judge::Run::Next Judge::Run::act(const action::Translate& how) {
    if (observes()) return Next::go_on;
    const Bytes packet = facts_.subject().packet;
    if (ruling_.changed.empty()) changed_.assign(packet.begin(), packet.end());
    if (!translate(changed_, facts_.layers(), how)) return Next::go_on;
    ruling_.changed = changed_;
    facts_.change(changed_);
    return Next::go_on;
}

Judge::Judge(Tables& tables, Random& random, std::function<void(Bytes)> answer)
    : run_(std::make_unique<Run>(tables, random, std::move(answer))) {
}
Judge::~Judge() = default;

void Judge::set_outputs(Outputs* outputs) {
    run_->outputs = outputs;
}

void Judge::replace(std::shared_ptr<const InForce> rules) {
    run_->replace(std::move(rules));
}

Ruling Judge::judge(const Subject& subject) {
    return run_->judge(subject);
}

bool Judge::needs_pieces() const {
    return run_->rules->program->needs_pieces;
}

bool Judge::needs_link() const {
    return run_->rules->program->asks_link;
}

Account Judge::account() const {
    Account out;
    if (run_->profile != nullptr) out.profile = run_->profile->name;
    for (const std::uint32_t rule : run_->hits)
        out.hits.push_back(run_->rules->program->rules[rule].name);
    out.mark = run_->registers().mark;
    out.verdict = register_text(run_->registers());
    return out;
}

[[gnu::cold]] std::vector<Judge::RuleCounts> Judge::rule_counts() const {
    const std::lock_guard guard(run_->lock);
    const Program& program = *run_->rules->program;
    std::vector<RuleCounts> out;
    for (std::size_t i = 0; i < program.rules.size(); i++) {
        const Rule& rule = program.rules[i];
        out.push_back({rule.name, program.profiles[rule.profile].name,
                       program.chains[rule.chain].name, run_->by_rule[i].counts()});
    }
    return out;
}

void Judge::add_counts(const InForce& of, std::size_t first, std::vector<RuleCounts>& to) const {
    const std::lock_guard guard(run_->lock);
    if (run_->rules.get() != &of) return;
    for (std::size_t i = 0; i < to.size(); i++) {
        const Counts more = run_->by_rule[first + i].counts();
        to[i].counts.packets += more.packets;
        to[i].counts.bytes += more.bytes;
        to[i].counts.dropped += more.dropped;
    }
}

std::vector<Judge::NamedCounts> Judge::counters() const {
    const std::lock_guard guard(run_->lock);
    const Program& program = *run_->rules->program;
    std::vector<NamedCounts> out;
    for (std::size_t i = 0; i < program.counters.size(); i++)
        out.push_back(
            {program.counters[i], run_->by_counter[i].counts(), run_->by_counter[i].last_ns()});
    return out;
}

std::shared_ptr<const InForce> Judge::rules() const {
    const std::lock_guard guard(run_->lock);
    return run_->rules;
}

std::uint64_t Judge::packets() const {
    return run_->all.counts().packets;
}

std::uint64_t Judge::dropped() const {
    return run_->all.counts().dropped;
}

} // namespace nfqws2::rules
