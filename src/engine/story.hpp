// What is told of a packet on its way: debug text in the log, a line of the trace, or nothing. The
// one place that asks whether anybody listens; the parts of the pipeline just tell. What is told
// rarely goes to log::debug() directly, which asks by itself.
#pragma once

#include "debug_text.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/engine/trace.hpp"

namespace nfqws2::engine {

class Story {
  public:
    // `trace` is looked at for every packet: it may be another one each time.
    explicit Story(Trace* const& trace) : trace_(trace) {}

    // --- from the beginning to the end; packets may be nested
    void arrives(const capture::InputPacket& packet) const {
        if (log::debug_enabled()) debug_text::arrived(packet);
    }
    void begins(const Passage& p) const {
        if (log::debug_enabled()) debug_text::headers(p.dis, p.is_replay());
        if (trace_ != nullptr) trace_->begin(p);
    }
    void ends(const Passage& p, const capture::Verdict& verdict) const {
        if (trace_ != nullptr) trace_->end(p, verdict);
    }
    void leaves(const capture::InputPacket& packet, const capture::Verdict& verdict) const {
        if (!log::debug_enabled()) return;
        if (verdict.finished) log::debug("this flow is finished");
        debug_text::judged(packet, verdict);
    }
    bool is_traced() const { return trace_ != nullptr; }
    // A held packet leaves as it came, without the pipeline.
    bool wants_releases() const { return is_traced(); }
    void released(const Passage& p) const {
        trace_->begin(p);
        trace_->note("released");
        trace_->end(p, {});
    }

    // --- on the way
    void searches(const Passage& p, bool server_mode) const {
        if (log::debug_enabled()) debug_text::target(p, server_mode);
    }
    void has_profile(const profile::Profile& profile) const {
        if (log::debug_enabled())
            log::debug("using cached desync profile %s", profile.label().c_str());
    }
    // What rules said of it: JSON, made only for somebody who reads it.
    bool wants_rules() const { return trace_ != nullptr; }
    void judged_by_rules(std::string json) const { trace_->rules(std::move(json)); }
    // Where a search lists whom it refused; nullptr when nobody asks.
    std::vector<profile::Rejection>* rejections() const {
        return trace_ != nullptr ? &trace_->rejections() : nullptr;
    }
    void held() const {
        if (trace_ != nullptr) trace_->held();
    }
    void goes_to_lua(const Passage& p) const {
        if (log::debug_enabled()) debug_text::desync(p);
    }

    // --- why scripts do not see it
    void passes(const char* debug, const char* trace) const {
        if (log::debug_enabled()) log::debug("%s", debug);
        if (trace_ != nullptr) trace_->note(trace);
    }
    void has_no_instances() const {
        if (log::debug_enabled()) log::debug("no lua functions in this profile");
    }
    void is_cut_off(const Passage& p) const {
        if (log::debug_enabled()) log::debug("lua %s cutoff", p.outgoing() ? "out" : "in");
        if (trace_ != nullptr) trace_->all_cut_off(*p.profile);
    }

  private:
    Trace* const& trace_; // nullptr: nobody watches
};

} // namespace nfqws2::engine
