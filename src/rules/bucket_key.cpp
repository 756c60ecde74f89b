// What counts as one bucket: the fields that a rule names, one after the other. A field that the
// packet does not have is a value of its own.
#include "facts.hpp"

#include "nfqws2/rules/state/source_bits.hpp"

namespace nfqws2::rules {
namespace {

class Fields {
  public:
    Fields(std::uint64_t wanted, unsigned ipv6_bits) : wanted_(wanted), ipv6_bits_(ipv6_bits) {}

    void source(std::uint32_t bit, const IpAddress& value) {
        if ((wanted_ & bit) != 0) key_.add(source_of(value, ipv6_bits_));
    }
    void address(std::uint32_t bit, const IpAddress& value) {
        if ((wanted_ & bit) != 0) key_.add(value);
    }
    void number(std::uint32_t bit, bool there, std::uint32_t value) {
        if ((wanted_ & bit) == 0) return;
        if (there)
            key_.add(value);
        else
            key_.add_absent();
    }
    const BucketKey& key() const { return key_; }

  private:
    std::uint64_t wanted_;
    unsigned ipv6_bits_;
    BucketKey key_;
};

std::uint32_t version_number(const IpLayer& ip) {
    return ip.version == packet::L3::ipv4 ? 4 : 6;
}

} // namespace

BucketKey Facts::bucket_key(std::uint64_t wanted) const {
    Fields fields(wanted, rules_->program->ipv6_source_bits);
    const Layers& l = layers_;
    const bool inner = l.has(Layer::tun_net), tunnel = l.has(Layer::tun);
    fields.source(key_bit::l3_src, l.net.source);
    fields.address(key_bit::l3_dst, l.net.destination);
    fields.number(key_bit::l3_proto, l.has(Layer::net), version_number(l.net));
    fields.address(key_bit::l3_tun_src, l.inner.source);
    fields.address(key_bit::l3_tun_dst, l.inner.destination);
    fields.number(key_bit::l3_tun_proto, inner, version_number(l.inner));
    fields.number(key_bit::l4_src, l.has_ports(), port(End::source).value_or(0));
    fields.number(key_bit::l4_dst, l.has_ports(), port(End::destination).value_or(0));
    fields.number(key_bit::l4_proto, l.transport_protocol != 0, l.transport_protocol);
    fields.number(key_bit::sec_id, l.sec_protocol != 0, l.spi);
    fields.number(key_bit::sec_proto, l.sec_protocol != 0, l.sec_protocol);
    fields.number(key_bit::sec_tun_id, l.inner_sec_protocol != 0, l.inner_spi);
    fields.number(key_bit::sec_tun_proto, l.inner_sec_protocol != 0, l.inner_sec_protocol);
    fields.number(key_bit::tun_id, tunnel, l.tunnel_key);
    fields.number(key_bit::tun_proto, tunnel, l.tunnel_protocol);
    return fields.key();
}

} // namespace nfqws2::rules
