// Dissect, plan and rebuild arbitrary bytes. The first byte chooses the options, the rest is the
// packet. What was built must be a packet again.
#include "nfqws2/packet/blueprint.hpp"
#include "nfqws2/packet/checksum.hpp"
#include "nfqws2/packet/reconstruct.hpp"

#include <array>
#include <cstdlib>

namespace {

class FuzzRandom final : public nfqws2::Random {
  public:
    std::uint64_t next64() override { return state_ = state_ * 6364136223846793005U + 1; }
    bool fill_secure(nfqws2::MutBytes out) override {
        for (std::uint8_t& byte : out)
            byte = static_cast<std::uint8_t>(next64() >> 56);
        return true;
    }

  private:
    std::uint64_t state_ = 1;
};

void require(bool condition) {
    if (!condition) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace nfqws2::packet;
    if (size == 0) return 0;
    const std::uint8_t choice = data[0];
    const nfqws2::Bytes raw(data + 1, size - 1);
    const Dissect d = dissect(raw, choice & 1 ? Completeness::partial : Completeness::strict);
    if (!d.is_ip()) return 0;
    require(d.packet.size() == std::size_t{d.l3_len} + d.transport_len);
    require(d.payload.size() + d.l4_len == d.transport_len);

    BlueprintScratch scratch;
    Blueprint plan = blueprint_of(d, scratch);
    if (choice & 2) plan.fragment_mode = false;
    ReconstructOptions options;
    options.keep_checksum = choice & 4;
    options.bad_checksum = choice & 8;
    options.preserve_next = choice & 16;
    if (choice & 32) options.last_proto = choice >> 6;

    static std::array<std::uint8_t, 65536> out;
    FuzzRandom random;
    const Reconstructed r = reconstruct(plan, options, random, out);
    require(r.ok() == r.error.empty());
    if (!r.ok()) return 0;
    require(r.size <= out.size());
    const nfqws2::Bytes built = nfqws2::Bytes(out).first(r.size);
    if (d.l3 == L3::ipv4) {
        require(looks_like_ipv4(built));
        require(checksum_finish(checksum_add(0, built.first(d.l3_len))) == 0);
    }
    return 0;
}
