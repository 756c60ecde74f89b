// Joins ClientHellos that do not fit one packet (docs/contracts/reassembly.md).
#pragma once

#include "nfqws2/engine/engine.hpp"
#include "past_hellos.hpp"

namespace nfqws2::engine {

class HelloJoiner {
  public:
    HelloJoiner(const Options& options, flow::ConnectionTable* connections, Holder& holder,
                Replayer& replayer, PastHellos& past)
        : options_(options), connections_(connections), holder_(holder), replayer_(replayer),
          past_(past) {}

    // --- TCP, data from the client
    // A message of the flow is growing.
    static bool is_joining(const Passage& p);
    // nullopt: it does not fit what is there, which was released.
    std::optional<flow::Reassembly::News> feed(Passage& p);
    // The message has grown. nullopt: it is no hello after all; this packet goes on as any other.
    std::optional<Detected> join_tls(Passage& p, flow::Reassembly::News news);
    // The packet begins with a hello.
    Detected tls_client_hello(Passage& p);
    // The first data of a flow, unknown as it stands: the start of a hello that is too short, or a
    // later part that has overtaken it?
    Detected undecided_start(Passage& p);

    // --- UDP
    Detected quic_initial(Passage& p);

  private:
    bool may_join_tls(const Passage& p) const;
    Detected start_tls(Passage& p, std::uint32_t first_seq);
    Detected join_quic(Passage& p, Bytes frames);

    const Options& options_;
    flow::ConnectionTable* connections_;
    Holder& holder_;
    Replayer& replayer_;
    PastHellos& past_;
};

} // namespace nfqws2::engine
