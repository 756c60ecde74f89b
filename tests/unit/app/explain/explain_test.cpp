#include "app/explain/explain_output.hpp"

#include "../parse_helper.hpp"
#include "app/options/values.hpp"

#include <nlohmann/json.hpp>

namespace nfqws2::app {
namespace {

using protocol::L7;
using protocol::Payload;

TEST(ExplainQuery, Forms) {
    const ExplainQuery tcp = parse_explain("tcp:1.2.3.4:443");
    EXPECT_EQ(tcp.l4proto, 6);
    EXPECT_EQ(tcp.address.text(), "1.2.3.4");
    EXPECT_EQ(tcp.port, 443);
    EXPECT_TRUE(tcp.outgoing);
    EXPECT_FALSE(tcp.learns());
    EXPECT_EQ(parse_explain("udp:[2001:db8::1]:53").address.text(), "2001:db8::1");
    EXPECT_EQ(parse_explain("udp:[2001:db8::1]:53").port, 53);
    EXPECT_EQ(parse_explain("132:2001:db8::1").address.text(), "2001:db8::1");
    EXPECT_EQ(parse_explain("132:[2001:db8::1]").l4proto, 132);
    EXPECT_EQ(parse_explain("icmp:1.2.3.4").l4proto, 1);
    EXPECT_EQ(parse_explain("icmp:1.2.3.4:8").port, 8);
    EXPECT_EQ(parse_explain("icmpv6:2001:db8::1").l4proto, 58);
}

TEST(ExplainQuery, Details) {
    const ExplainQuery q = parse_explain(
        "tcp:1.2.3.4:443,host=WWW.One.com:443,l7=tls,payload=http_req,ssid=My Net,dir=in");
    EXPECT_EQ(q.host, "www.one.com");
    EXPECT_FALSE(q.host_is_ip);
    EXPECT_EQ(q.l7, L7::tls);
    EXPECT_EQ(q.payload, Payload::http_req);
    ASSERT_EQ(q.stated.size(), 1U);
    EXPECT_EQ(q.stated[0].second, "My Net");
    EXPECT_TRUE(q.states("filter-ssid"));
    EXPECT_FALSE(q.outgoing);
    EXPECT_TRUE(parse_explain("tcp:1.2.3.4:443,host=5.6.7.8").host_is_ip);
}

TEST(ExplainQuery, ThePayloadTellsTheProtocol) {
    const auto l7 = [](const std::string& payload) {
        return parse_explain("tcp:1.2.3.4:443,payload=" + payload).l7;
    };
    EXPECT_EQ(l7("http_req"), L7::http);
    EXPECT_EQ(l7("tls_client_hello"), L7::tls);
    EXPECT_EQ(l7("dtls_server_hello"), L7::dtls);
    EXPECT_EQ(l7("quic_initial"), L7::quic);
    EXPECT_EQ(l7("dht"), L7::dht);
    EXPECT_EQ(l7("discord_ip_discovery"), L7::discord);
    EXPECT_EQ(l7("bt_handshake"), L7::bt);
    EXPECT_EQ(l7("utp_bt_handshake"), L7::utp_bt);
    EXPECT_EQ(l7("empty"), L7::unknown);
    EXPECT_EQ(l7("unknown"), L7::unknown);
}

TEST(ExplainQuery, Refused) {
    for (const char* text : {"",
                             "tcp",
                             "tcp:",
                             "xcp:1.2.3.4:80",
                             "256:1.2.3.4",
                             "tcp:1.2.3:80",
                             "tcp:1.2.3.4",
                             "tcp:1.2.3.4:x",
                             "tcp:1.2.3.4:65536",
                             "tcp:[::1]80",
                             "tcp:[::1:80",
                             "icmp:1.2.3.4:256",
                             "icmp:1.2.3.4:8,code=256",
                             "icmp:1.2.3.4:8,lport=5",
                             "tcp:1.2.3.4:80,code=1",
                             "tcp:1.2.3.4:80,lport=0",
                             "tcp:1.2.3.4:80,",
                             "tcp:1.2.3.4:80,host",
                             "tcp:1.2.3.4:80,host=",
                             "tcp:1.2.3.4:80,l7=all",
                             "tcp:1.2.3.4:80,l7=ssh",
                             "tcp:1.2.3.4:80,payload=known",
                             "tcp:1.2.3.4:80,dir=both",
                             "tcp:1.2.3.4:80,hst=a.com"})
        EXPECT_THROW(parse_explain(text), BadValue) << text;
    try {
        parse_explain("tcp:1.2.3.4:80,hst=a.com");
    } catch (const BadValue& e) {
        EXPECT_TRUE(contains(e.what(), "did you mean 'host'?")) << e.what();
    }
}

// Explains with the profiles of a command line.
class Explained {
  public:
    Explained(const std::vector<std::string>& words, const std::string& query) : parsed_(words) {
        EXPECT_TRUE(parsed_.good()) << parsed_.err << parsed_.finish_error;
        EXPECT_TRUE(parsed_.lists().load_all());
        profiles_ = std::make_unique<profile::ProfileSet>(std::move(parsed_.state.config.profiles),
                                                          parsed_.lists(), clock_);
        facts = explain(parse_explain(query), *profiles_);
        text = to_text(facts);
        json = nlohmann::json::parse(to_json({facts}));
    }

  private:
    RealClock clock_;
    Parsed parsed_;
    std::unique_ptr<profile::ProfileSet> profiles_;

  public:
    Explanation facts;
    std::string text;
    nlohmann::json json;
};

TEST(Explain, EveryProfileWithTheFilterThatRefuses) {
    const Explained e({"--explain=tcp:1.2.3.4:1", "--name=a", "--filter-tcp=80", "--new=b",
                       "--filter-l3=ipv6", "--new=c", "--filter-ssid=home", "--new=d",
                       "--ipset-exclude-ip=1.2.0.0/16", "--new=e", "--ipset-ip=5.0.0.0/8",
                       "--new=f", "--filter-l7=tls", "--new=g", "--lua-desync=x"},
                      "tcp:1.2.3.4:443");
    EXPECT_EQ(e.text, "tcp:1.2.3.4:443\n"
                      "  profile 1 (a): refused by --filter-tcp\n"
                      "  profile 2 (b): refused by --filter-l3\n"
                      "  profile 3 (c): refused by --filter-ssid\n"
                      "  profile 4 (d): refused by --ipset-exclude: entry '1.2.0.0/16' of fixed\n"
                      "  profile 5 (e): refused by --ipset: in none of fixed\n"
                      "  profile 6 (f): refused by --filter-l7\n"
                      "  profile 7 (g): wins\n"
                      "    instance x_7_1 (x), out-range a, payload all: called\n");
    const auto& search = e.json[0]["searches"][0];
    EXPECT_EQ(e.json[0]["searches"].size(), 1U);
    EXPECT_EQ(search["winner"], 7);
    EXPECT_EQ(search["profiles"][0],
              (nlohmann::json{{"n", 1}, {"name", "a"}, {"refused_by", "filter-tcp"}}));
    EXPECT_EQ(search["profiles"][3]["entry"], "1.2.0.0/16");
    EXPECT_EQ(search["profiles"][4]["not_in"], nlohmann::json{"fixed"});
    EXPECT_EQ(search["profiles"][6]["refused_by"], nullptr);
}

TEST(Explain, ThePortOfTheInitiator) {
    const std::vector<std::string> words{"--explain=tcp:1.2.3.4:1", "--filter-lport=1000-2000"};
    EXPECT_EQ(Explained(words, "tcp:1.2.3.4:443").text,
              "tcp:1.2.3.4:443\n  profile 1 (noname): refused by --filter-lport: the port of the "
              "initiator is not stated (lport=)\n  profile 0 (no_action): wins\n"
              "    nothing is called, the packet passes\n");
    EXPECT_TRUE(
        contains(Explained(words, "tcp:1.2.3.4:443,lport=1500").text, "profile 1 (noname): wins"));
    EXPECT_TRUE(contains(Explained(words, "udp:1.2.3.4:443,lport=500").text,
                         "refused by --filter-lport\n"));
}

TEST(Explain, TheCodeOfIcmp) {
    const std::vector<std::string> words{"--explain=tcp:1.2.3.4:1", "--filter-icmp=3:4,0:7"};
    const auto wins = [&words](const std::string& query) {
        return contains(Explained(words, query).text, "profile 1 (noname): wins");
    };
    EXPECT_TRUE(wins("icmp:1.2.3.4:3,code=4"));
    EXPECT_FALSE(wins("icmp:1.2.3.4:3,code=1"));
    EXPECT_FALSE(wins("icmp:1.2.3.4:3"));
    EXPECT_TRUE(wins("icmp:1.2.3.4:0,code=7"));
}

TEST(Explain, WhatChangesWhenTheHostIsKnown) {
    const TempDir dir;
    const std::string list = dir.file("list", "example.com\n"),
                      exclude = dir.file("exclude", "^www.example.com\n");
    const Explained e({"--explain=tcp:1.2.3.4:1", "--hostlist-exclude=" + exclude, "--new",
                       "--hostlist=" + list, "--payload=tls_client_hello", "--lua-desync=f:a:b=1",
                       "--payload=http_req", "--lua-desync=g", "--out-range=x", "--payload=all",
                       "--lua-desync=h", "--new", "--lua-desync=z"},
                      "tcp:1.2.3.4:443,host=www.example.com,payload=tls_client_hello");
    const std::string real = std::filesystem::canonical(list),
                      real_exclude = std::filesystem::canonical(exclude);
    EXPECT_EQ(e.text,
              "tcp:1.2.3.4:443,host=www.example.com,payload=tls_client_hello\n"
              "at the first packet, before protocol and host name are known:\n"
              "  profile 1 (noname): refused by --hostlist-exclude: the host name is not known\n"
              "  profile 2 (noname): refused by --hostlist: the host name is not known\n"
              "  profile 3 (noname): wins\n"
              "    instance z_3_1 (z), out-range a, payload all: called\n"
              "when l7=tls and host=www.example.com are known:\n"
              "  profile 1 (noname): refused by --hostlist-exclude: entry '^www.example.com' of " +
                  real_exclude +
                  "\n  profile 2 (noname): wins\n"
                  "    matched --hostlist: entry 'example.com' of " +
                  real +
                  "\n    instance f_2_1 (f:a:b=1), out-range a, payload tls_client_hello: called\n"
                  "    instance g_2_2 (g), out-range a, payload http_req: not called (payload)\n"
                  "    instance h_2_3 (h), out-range x, payload all: not called (range)\n");
    const auto& informed = e.json[0]["searches"][1];
    EXPECT_EQ(informed["informed"], true);
    EXPECT_EQ(informed["hostlist"]["entry"], "example.com");
    EXPECT_EQ(informed["instances"][1]["why"], "payload");
    EXPECT_EQ(informed["instances"][0]["call"], "f:a:b=1");
}

TEST(Explain, MatchingNetwork) {
    const Explained e({"--explain=tcp:1.2.3.4:1", "--ipset-ip=1.2.3.0/24"}, "tcp:1.2.3.4:443");
    EXPECT_TRUE(contains(e.text, "matched --ipset: entry '1.2.3.0/24' of fixed\n")) << e.text;
    EXPECT_TRUE(contains(e.text, "nothing is called, the packet passes")) << e.text;
    EXPECT_EQ(e.json[0]["searches"][0]["ipset"]["entry"], "1.2.3.0/24");
}

TEST(Explain, AutomaticHostList) {
    const TempDir dir;
    const std::string list = dir.file("auto", "in.com\n");
    const std::vector<std::string> words{"--explain=tcp:1.2.3.4:1",
                                         "--hostlist-auto=" + list,
                                         "--hostlist-auto-fail-threshold=2",
                                         "--hostlist-auto-fail-time=30",
                                         "--hostlist-exclude-domains=out.com",
                                         "--lua-desync=f"};
    const auto informed = [&](const std::string& host) {
        return Explained(words, "tcp:1.2.3.4:443,host=" + host);
    };
    const Explained in = informed("www.in.com");
    EXPECT_TRUE(contains(in.text, "the host is in it or in another list")) << in.text;
    EXPECT_TRUE(contains(in.text, "all: called\n"));
    EXPECT_EQ(in.json[0]["searches"][1]["auto"]["state"], "included");
    const Explained out = informed("out.com");
    EXPECT_TRUE(contains(out.text, "the host is excluded by entry 'out.com' of fixed")) << out.text;
    EXPECT_TRUE(contains(out.text, "not called (host list)")) << out.text;
    EXPECT_EQ(out.json[0]["searches"][1]["auto"]["state"], "excluded");
    const Explained other = informed("other.com");
    EXPECT_TRUE(contains(other.text, "it is added after 2 failures within 30 s")) << other.text;
    EXPECT_TRUE(contains(other.text, "not called (host list)")) << other.text;
    EXPECT_EQ(other.json[0]["searches"][1]["auto"]["state"], "watched");
    EXPECT_EQ(other.json[0]["searches"][1]["auto"]["fail_threshold"], 2);
    EXPECT_EQ(other.json[0]["searches"][0]["winner"], 0) << "first packet: no name, no profile";
}

TEST(Explain, SsidIcmpAndDirection) {
    const std::vector<std::string> words{"--explain=tcp:1.2.3.4:1", "--filter-icmp=8",
                                         "--filter-ssid=home",      "--in-range=a",
                                         "--out-range=x",           "--lua-desync=f"};
    EXPECT_EQ(Explained(words, "icmp:1.2.3.4:8,ssid=home").facts.searches[0].winner().number, 1U);
    EXPECT_EQ(Explained(words, "icmp:1.2.3.4:8,ssid=Home").facts.searches[0].winner().number, 0U);
    EXPECT_EQ(Explained(words, "icmp:1.2.3.4:0,ssid=home").facts.searches[0].winner().number, 0U);
    EXPECT_TRUE(contains(Explained(words, "icmp:1.2.3.4:8,ssid=home").text, "not called (range)"));
    EXPECT_TRUE(contains(Explained(words, "icmp:1.2.3.4:8,ssid=home,dir=in").text, "called\n"));
}

} // namespace
} // namespace nfqws2::app
