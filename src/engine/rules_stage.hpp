// The stage of traffic rules (docs/rules.md), in front of flows: what they drop makes none.
#pragma once

#include "nfqws2/engine/engine.hpp"
#include "nfqws2/lua/packet_rules.hpp"
#include "nfqws2/rules/judge.hpp"
#include "onlooker.hpp"
#include "passage.hpp"
#include "story.hpp"

#include <memory>
#include <optional>

namespace nfqws2::engine {

class RulesStage {
  public:
    RulesStage(const Options& options, const Services& services, Onlooker& onlooker);

    // Pieces are judged instead of the merged packet.
    bool needs_pieces() const { return judge_.needs_pieces(); }
    // nullopt: on into the pipeline, perhaps with other addresses.
    // `ct`: nullptr with --ct=off.
    std::optional<capture::Verdict> judge(Passage& p, std::int64_t now_ns, CtFacts* ct);
    // What the rules changed leaves with the verdict of the rest of the pipeline.
    void finish(const Passage& p, capture::Verdict& verdict);

    // What was said of a packet that is on its way, also if it was put aside in between.
    const rules::Account& account(const Passage& p);
    std::shared_ptr<const rules::Account> kept(const Passage& p);

    rules::Judge& judge() { return judge_; }

  private:
    std::uint32_t kept_bits_; // of the firewall mark
    std::uint32_t desync_fwmark_;
    Story story_;
    capture::TracedOutlet outlet_;
    rules::Judge judge_;
    const Passage* judged_ = nullptr; // until finish(): the packet that the next two are about
    Bytes changed_;
    std::optional<std::uint32_t> mark_;
    std::optional<rules::Account> account_; // of it, if somebody has asked
};

// What scripts get of the packet.
class PassageRules final : public lua::PacketRules {
  public:
    PassageRules(RulesStage& stage, const Passage& p) : stage_(stage), p_(p) {}
    const rules::Account& account() override { return stage_.account(p_); }

  private:
    RulesStage& stage_;
    const Passage& p_;
};

// nullptr without rules.
std::unique_ptr<RulesStage> make_rules_stage(const Options& options, const Services& services,
                                             Onlooker& onlooker);

} // namespace nfqws2::engine
