// What connection tracking knows of the packets: the one thing that the pipeline asks, wherever it
// comes from. There is none with --ct=off.
#pragma once

#include "nfqws2/capture/ct_requests.hpp"
#include "nfqws2/capture/packet_io.hpp"
#include "nfqws2/engine/engine.hpp"
#include "nfqws2/flow/ct_sim.hpp"
#include "nfqws2/lua/connections.hpp"
#include "nfqws2/profile/query.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace nfqws2::engine {

struct Passage;

// Of one packet on its way.
struct PacketCt {
    packet::CtFacts facts;
    bool state_known = false, asked = false; // facts.state; the connection
    flow::CtSim::Seen seen;                  // simulated
    std::optional<packet::CtTuple> tuple;    // to ask by; of an ICMP error, of what it quotes
    bool about = false;                      // an ICMP error
    bool shown = true;                       // to profiles, scripts and traces
    bool resumed = false;                    // it was put aside: no verdict is to come
    bool foreseen = false;                   // rules have asked, before its flow was looked for
    packet::CtChanges changes;               // to go with the verdict
};

class CtFacts final : public lua::Connections {
  public:
    enum class For : std::uint8_t {
        everybody,
        scripts // of the kernel's interfaces, which have nothing but this simulation: --ct=off
    };
    CtFacts(const Options& options, packet::CtSource source, For whom, const Services& services,
            const flow::ConnectionTable* connections, const Clock& clock);
    ~CtFacts() override;
    CtFacts(const CtFacts&) = delete;
    CtFacts& operator=(const CtFacts&) = delete;

    // Before the flow of a packet is looked for: of the state alone, or all. The simulation is
    // looked at, but does not move on.
    packet::CtFacts foreseen(Passage& p, bool all);
    // A packet comes in, after its flow was looked for; of an ICMP error `quoted` is what it is
    // about.
    void arrives(Passage& p);
    void arrives_about(Passage& p, const packet::Dissect& quoted, bool quoted_reverse);
    // A packet that was put aside is looked at again, with what was known when it came.
    std::shared_ptr<const packet::CtFacts> kept(Passage& p);
    void resumes(Passage& p);
    // `told`: somebody is shown what is known of the packet.
    void leaves(Passage& p, capture::Verdict& verdict, bool told);
    void track_ended(const flow::Track& track);
    // The verdicts of a batch are with the kernel.
    void batch_ended() {
        if (!pending_.empty()) send_pending();
    }

    packet::CtState state(Passage& p);
    const packet::CtFacts& facts(Passage& p);
    // For a search: what filters ask about.
    void show(Passage& p, profile::Query& q);

    const char* set(Passage& p, const packet::CtChanges& changes);
    int expect(Passage& p, const packet::CtExpectation& expectation);

    flow::CtSim* simulation() const { return sim_.get(); }
    void sees_sent(const capture::OutputPacket& packet);

    // lua::Connections
    packet::CtSource source() const override { return source_; }
    std::optional<packet::Connection> find(const packet::CtTuple& tuple, std::uint16_t zone,
                                           int* error) override;
    void arrives(const capture::InputPacket& packet) override;
    const packet::CtFacts& facts() override;
    void leaves(bool dropped) override;

  private:
    void begin(Passage& p);
    void begin_about(Passage& p, const packet::Dissect& quoted);
    packet::CtFacts foreseen_simulation(Passage& p) const;
    void ask_state(Passage& p);
    void ask(Passage& p);
    void read_attribute(Passage& p);
    void judge(PacketCt& ct, bool told) const;
    void ask_master(packet::Connection& c);
    void send_pending();
    bool give_up_oldest();
    void remind_pending(const PacketCt& ct);

    // A change that waits until the kernel has the connection in its table.
    struct Pending {
        packet::CtTuple orig;
        std::uint16_t zone = 0;
        packet::CtChanges changes;
        std::int64_t expires_s = 0;
        unsigned tries = 0;
        bool due = true; // at the end of this batch
    };
    void lose(const char* why);

    packet::CtSource source_;
    For whom_;
    std::uint32_t state_mark_;
    const Clock& clock_;
    capture::CtRequests* requests_;
    const profile::ProfileSet& profiles_;
    std::unique_ptr<flow::CtSim> sim_;
    std::vector<Pending> pending_;
    std::uint64_t lost_changes_ = 0;
    packet::CtChanges verdict_changes_;
    // By queues of scripts; a callback may be shown packets of another queue meanwhile.
    std::vector<std::unique_ptr<Passage>> queued_;
};

// What the program sends itself, which the simulation has to see.
class WatchedSender final : public capture::PacketSender {
  public:
    explicit WatchedSender(capture::PacketSender& sender) : sender_(sender) {}
    void show_to(CtFacts& ct) { ct_ = &ct; }
    bool send(const capture::OutputPacket& packet) override {
        if (ct_ != nullptr) ct_->sees_sent(packet);
        return sender_.send(packet);
    }

  private:
    capture::PacketSender& sender_;
    CtFacts* ct_ = nullptr;
};

// What scripts get of the packet.
class PassageConnection final : public lua::PacketConnection {
  public:
    PassageConnection(CtFacts& facts, Passage& p) : facts_(facts), p_(p) {}
    packet::CtState state() override { return facts_.state(p_); }
    const packet::CtFacts& facts() override { return facts_.facts(p_); }
    const char* set(const packet::CtChanges& changes) override { return facts_.set(p_, changes); }
    int expect(const packet::CtExpectation& expectation) override {
        return facts_.expect(p_, expectation);
    }

  private:
    CtFacts& facts_;
    Passage& p_;
};

} // namespace nfqws2::engine
