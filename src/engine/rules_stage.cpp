#include "rules_stage.hpp"

#include "nfqws2/base/json.hpp"

#include <utility>

namespace nfqws2::engine {
namespace {

const char* text_of(rules::Decision decision) {
    switch (decision) {
    case rules::Decision::accept:
        return "accept";
    case rules::Decision::drop:
        return "drop";
    case rules::Decision::go_on:
        break;
    }
    return "continue";
}

std::string to_json(const rules::Account& account, rules::Decision decision) {
    std::string text;
    JsonWriter json(text);
    json.open_object();
    json.key("profile").text_or_null(account.profile);
    json.key("hits").open_array();
    for (const std::string& rule : account.hits)
        json.text(rule);
    json.close_array();
    json.key("verdict").text(text_of(decision));
    json.key("mark").number(account.mark);
    json.key("register").text_or_null(account.verdict);
    json.close_object();
    return text;
}

class ForeseenConnection final : public rules::SubjectConnection {
  public:
    ForeseenConnection(CtFacts& facts, Passage& p) : facts_(facts), p_(p) {}
    packet::CtState state() override {
        if (!known_) known_ = facts_.foreseen(p_, false);
        return known_->state;
    }
    std::optional<std::uint32_t> mark() override {
        if (!std::exchange(all_, true)) known_ = facts_.foreseen(p_, true);
        if (!known_->connection) return std::nullopt;
        return known_->connection->mark.value_or(0);
    }

  private:
    CtFacts& facts_;
    Passage& p_;
    std::optional<packet::CtFacts> known_;
    bool all_ = false;
};

} // namespace

RulesStage::RulesStage(const Options& options, const Services& services, Onlooker& onlooker)
    : kept_bits_(options.desync_fwmark | options.offload_mark | options.ct_state_mark),
      desync_fwmark_(options.desync_fwmark), story_(onlooker.trace()), outlet_(onlooker),
      judge_(*services.rule_tables, *services.random, [this](Bytes segment) {
          outlet_.send({segment, desync_fwmark_, {}, 1});
      }) {
    judge_.replace(services.rules);
}

std::optional<capture::Verdict> RulesStage::judge(Passage& p, std::int64_t now_ns, CtFacts* ct) {
    if (!p.dis.is_ip()) return std::nullopt;
    std::optional<ForeseenConnection> connection;
    if (ct != nullptr) connection.emplace(*ct, p);
    const rules::Ruling ruling =
        judge_.judge({p.dis.packet, p.mark, p.ifin, p.ifout, p.pieces(), now_ns,
                      connection ? &*connection : nullptr, p.link});
    judged_ = &p;
    account_.reset();
    if (story_.wants_rules()) story_.judged_by_rules(to_json(account(p), ruling.decision));
    changed_ = ruling.changed;
    mark_.reset();
    if (ruling.mark) {
        mark_ = (*ruling.mark & ~kept_bits_) | (p.mark & kept_bits_);
        p.mark = *mark_;
    }
    if (!changed_.empty()) {
        p.raw = changed_;
        p.dis = packet::dissect(changed_);
    }
    p.shallow = ruling.shallow;
    if (ruling.decision == rules::Decision::go_on) return std::nullopt;
    const bool dropped = ruling.decision == rules::Decision::drop;
    return capture::Verdict{dropped ? capture::Action::drop : capture::Action::accept, {}};
}

const rules::Account& RulesStage::account(const Passage& p) {
    if (p.rules_of_held != nullptr) return *p.rules_of_held;
    if (!account_) account_ = judge_.account();
    return *account_;
}

std::shared_ptr<const rules::Account> RulesStage::kept(const Passage& p) {
    return std::make_shared<const rules::Account>(account(p));
}

void RulesStage::finish(const Passage& p, capture::Verdict& verdict) {
    // Most packets that were not judged have the address of the one before.
    if (std::exchange(judged_, nullptr) != &p) return;
    if (mark_) verdict.mark = mark_;
    if (changed_.empty() || verdict.action != capture::Action::accept) return;
    verdict.action = capture::Action::modify;
    verdict.data = changed_;
}

std::unique_ptr<RulesStage> make_rules_stage(const Options& options, const Services& services,
                                             Onlooker& onlooker) {
    if (services.rules == nullptr) return nullptr;
    return std::make_unique<RulesStage>(options, services, onlooker);
}

} // namespace nfqws2::engine
