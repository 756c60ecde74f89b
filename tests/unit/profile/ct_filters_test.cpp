#include "nfqws2/profile/ct_filters.hpp"

#include "nfqws2/base/bad_value.hpp"
#include "profile_testing.hpp"

namespace nfqws2::profile {
namespace {

using packet::CtState;
using testing::tcp;
using testing::World;

Query with(CtQuery ct) {
    Query q = tcp("10.0.0.1", 80);
    q.ct = ct;
    return q;
}
Query in_state(CtState state) {
    CtQuery ct;
    ct.state = state;
    return with(ct);
}
std::string refused(const char* option, const char* value) {
    try {
        parse_ct_states(option, value);
    } catch (const BadValue& e) {
        return e.what();
    }
    return "";
}

TEST(CtFilters, States) {
    const World s({"--filter-ctstate=NEW,related"});
    EXPECT_EQ(s.refusal(in_state(CtState::fresh)), "");
    EXPECT_EQ(s.refusal(in_state(CtState::related)), "");
    EXPECT_EQ(s.refusal(in_state(CtState::established)), "filter-ctstate");
    EXPECT_EQ(s.refusal(in_state(CtState::unknown)), "filter-ctstate");
    const World others({"--filter-ctstate=~invalid,untracked"});
    EXPECT_EQ(others.refusal(in_state(CtState::invalid)), "filter-ctstate");
    EXPECT_EQ(others.refusal(in_state(CtState::fresh)), "");
    const World last({"--filter-ctstate=new", "--filter-ctstate=invalid"});
    EXPECT_EQ(last.refusal(in_state(CtState::fresh)), "filter-ctstate");
}

TEST(CtFilters, BadStates) {
    EXPECT_EQ(refused("filter-ctstate", "nwe"),
              "bad value for --filter-ctstate: 'nwe' (did you mean 'new'?)");
    EXPECT_NE(refused("ct-state", "").find("bad value for --ct-state: ''"), std::string::npos);
    EXPECT_NE(refused("ct-state", "new,").find("'new,'"), std::string::npos);
    EXPECT_NE(refused("ct-state", "unknown").find("'unknown'"), std::string::npos);
}

TEST(CtFilters, Marks) {
    CtQuery q;
    q.mark = 0x15;
    EXPECT_EQ(World({"--filter-ctmark=0x10/0xF0"}).refusal(with(q)), "");
    EXPECT_EQ(World({"--filter-ctmark=21"}).refusal(with(q)), "");
    EXPECT_EQ(World({"--filter-ctmark=~0x10/0xF0"}).refusal(with(q)), "filter-ctmark");
    EXPECT_EQ(World({"--filter-ctmark=0"}).refusal(with(q)), "filter-ctmark");
    EXPECT_EQ(World({"--filter-ctmark=0"}).refusal(with({})), "");
}

TEST(CtFilters, Zones) {
    CtQuery q;
    q.zone = 7;
    EXPECT_EQ(World({"--filter-ctzone=1,5-8"}).refusal(with(q)), "");
    EXPECT_EQ(World({"--filter-ctzone=~5-8"}).refusal(with(q)), "filter-ctzone");
    EXPECT_EQ(World({"--filter-ctzone=0"}).refusal(with({})), "");
}

TEST(CtFilters, Helpers) {
    CtQuery own, of_master;
    own.helper = "ftp";
    of_master.master_helper = "sip";
    EXPECT_EQ(World({"--filter-cthelper=ftp,sip"}).refusal(with(own)), "");
    EXPECT_EQ(World({"--filter-cthelper=ftp,sip"}).refusal(with(of_master)), "");
    EXPECT_EQ(World({"--filter-cthelper=ftp"}).refusal(with(of_master)), "filter-cthelper");
    EXPECT_EQ(World({"--filter-cthelper=*"}).refusal(with(own)), "");
    EXPECT_EQ(World({"--filter-cthelper=*"}).refusal(with({})), "filter-cthelper");
    EXPECT_EQ(World({"--filter-cthelper=-"}).refusal(with({})), "");
    EXPECT_EQ(World({"--filter-cthelper=~ftp"}).refusal(with(own)), "filter-cthelper");
}

TEST(CtFilters, StatusBits) {
    CtQuery q;
    q.status = 6;
    EXPECT_EQ(World({"--filter-ctstatus=assured,seen_reply"}).refusal(with(q)), "");
    EXPECT_EQ(World({"--filter-ctstatus=assured,src_nat"}).refusal(with(q)), "filter-ctstatus");
    EXPECT_EQ(World({"--filter-ctstatus=~assured,src_nat"}).refusal(with(q)), "");
}

TEST(CtFilters, BadValues) {
    CtFilters f;
    for (const char* bad : {"", "x", "1/", "0x1FFFFFFFF", "~"})
        EXPECT_THROW(f.set_mark(bad), BadValue) << bad;
    for (const char* bad : {"", "65536", "2-1", "1-", "-1", "x"})
        EXPECT_THROW(f.set_zones(bad), BadValue) << bad;
    for (const char* bad : {"", "a,", "abcdefghijklmnop"})
        EXPECT_THROW(f.set_helpers(bad), BadValue) << bad;
    EXPECT_THROW(f.set_status("asured"), BadValue);
    EXPECT_FALSE(f.any());
}

TEST(CtFilters, AskedBehindTheLists) {
    const World s({"--filter-ctstate=new", "--hostlist-domains=a.b"});
    EXPECT_EQ(s.refusal(in_state(CtState::invalid)), "hostlist");
}

TEST(CtFilters, ATemplateHandsThemOn) {
    const World s(
        {"--template=t", "--filter-ctstate=new", "--filter-ctmark=1", "--new", "--import=t"});
    EXPECT_EQ(s.refusal(in_state(CtState::invalid)), "filter-ctstate");
    EXPECT_EQ(s.refusal(in_state(CtState::fresh)), "filter-ctmark");
}

} // namespace
} // namespace nfqws2::profile
