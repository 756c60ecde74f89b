// The second way of held packets: piece by piece through the pipeline, with the joined message at
// hand (docs/contracts/reassembly.md#replay).
#pragma once

#include "holder.hpp"

namespace nfqws2::engine {

// What a piece meets on its second way.
class PieceJudge {
  public:
    // `message` is the joined one; it lives as long as the call.
    virtual capture::Verdict judge_piece(Passage& p, Bytes message) = 0;

  protected:
    ~PieceJudge() = default;
};

class Replayer {
  public:
    Replayer(Holder& holder, flow::ConnectionTable* connections, PieceJudge& judge, Story story)
        : holder_(holder), connections_(connections), judge_(judge), story_(story) {}

    // The message of the flow is whole.
    void replay(flow::Track& track);
    // Also for messages that left before. False: a piece could not be sent.
    bool replay_pieces(flow::Track& track, const flow::Reassembly& message,
                       const flow::HeldPackets& pieces);

  private:
    bool replay_piece(const flow::HeldPacket& piece, Bytes message, const lua::Replay& position);

    Holder& holder_;
    flow::ConnectionTable* connections_;
    PieceJudge& judge_;
    Story story_;
};

} // namespace nfqws2::engine
