#include "builder_fixture.hpp"

namespace nfqws2::profile {
namespace {

using testing::TempDir;
using Numbering = testing::BuilderFixture;
using Import = testing::BuilderFixture;
using Skip = testing::BuilderFixture;

TEST_F(Numbering, NoOptionsGiveOneProfile) {
    ASSERT_TRUE(options.parse({}));
    EXPECT_EQ(options.built.user_profiles, 1U);
    EXPECT_EQ(at(0).number, 1U);
    EXPECT_EQ(at(0).label(), "1 (noname)");
}

TEST_F(Numbering, EmptyProfilesCount) {
    ASSERT_TRUE(options.parse({"--new", "--new"}));
    EXPECT_EQ(options.built.profiles.size(), 3U);
    EXPECT_EQ(at(2).number, 3U);
}

TEST_F(Numbering, TemplatesAndSkippedDoNotCount) {
    ASSERT_TRUE(options.parse(
        {"--template=t", "--new=a", "--new=b", "--skip", "--new=c", "--template", "--new=d"}));
    ASSERT_EQ(options.built.user_profiles, 2U);
    EXPECT_EQ(options.built.templates, 2U);
    EXPECT_EQ(at(0).label(), "1 (a)");
    EXPECT_EQ(at(1).label(), "2 (d)");
}

TEST_F(Numbering, LastNameWins) {
    ASSERT_TRUE(
        options.parse({"--new=a", "--name=b", "--new=c", "--name=x", "--template=y", "--new=d",
                       "--template=e", "--name=f", "--new", "--import=y", "--import=f"}));
    EXPECT_EQ(at(1).label(), "2 (b)");
}

TEST_F(Numbering, TemplateNameIsUnique) {
    EXPECT_FALSE(options.parse({"--template=t", "--new", "--template=t"}));
    EXPECT_EQ(options.error, "template 't' already present");
}

TEST_F(Numbering, TemplateNameConflictShowsAtNew) {
    ASSERT_TRUE(options.give("--template=t"));
    ASSERT_TRUE(options.give("--new"));
    ASSERT_TRUE(options.give("--template=t"));
    EXPECT_EQ(error_of("--new"), "template 't' already present");
}

TEST_F(Numbering, NamelessTemplatesAreLegalAndUnreachable) {
    ASSERT_TRUE(options.give("--template"));
    ASSERT_TRUE(options.give("--new"));
    ASSERT_TRUE(options.give("--template"));
    ASSERT_TRUE(options.give("--new"));
    EXPECT_EQ(error_of("--import="), "template '' not found");
}

TEST_F(Numbering, ProfileNamesNeedNotBeUnique) {
    ASSERT_TRUE(options.parse({"--name=a", "--new=a", "--template=a", "--new=a", "--import=a"}));
    EXPECT_EQ(options.built.user_profiles, 2U);
}

TEST_F(Numbering, InstanceNames) {
    ASSERT_TRUE(options.parse({"--template=t", "--lua-desync=g", "--new", "--lua-desync=f", "--new",
                               "--lua-desync=f", "--import=t", "--lua-desync=f:a=1"}));
    const auto& instances = at(1).instances;
    ASSERT_EQ(instances.size(), 3U);
    EXPECT_EQ(instances[0].name, "f_2_1");
    EXPECT_EQ(instances[1].name, "g_2_2");
    EXPECT_EQ(instances[2].name, "f_2_3");
    EXPECT_EQ(instances[2].func_n, 3U);
}

TEST_F(Numbering, InstanceNameIsCutAt255) {
    ASSERT_TRUE(options.parse({"--lua-desync=" + std::string(300, 'f')}));
    EXPECT_EQ(at(0).instances[0].name, std::string(255, 'f'));
}

TEST_F(Numbering, UnusedTemplates) {
    ASSERT_TRUE(options.parse({"--template=a", "--new", "--template=b", "--new", "--import=b"}));
    ASSERT_EQ(options.built.unused_templates.size(), 1U);
    EXPECT_EQ(options.built.unused_templates[0].label, "1 (a)");
}

TEST(Positions, AreRemembered) {
    const TempDir dir;
    RealClock clock;
    ListStore lists(clock);
    ProfileBuilder builder(lists);
    const auto option = [&](OptionPosition position, auto method, const std::string& value) {
        builder.set_position(position);
        (builder.*method)(value);
    };
    const std::string file = dir.write("list", "a.com\n"), set = dir.write("set", "10.0.0.0/8\n");
    option(3, &ProfileBuilder::set_cookie, "80");
    option(4, &ProfileBuilder::lua_desync, "f");
    option(5, &ProfileBuilder::hostlist, file);
    option(6, &ProfileBuilder::new_profile, "");
    option(7, &ProfileBuilder::set_template, "t");
    option(8, &ProfileBuilder::lua_desync, "g");
    option(9, &ProfileBuilder::new_profile, "");
    option(10, &ProfileBuilder::set_template, "unused");
    option(11, &ProfileBuilder::new_profile, "");
    option(12, &ProfileBuilder::import, "t");
    option(13, &ProfileBuilder::lua_desync, "h");
    option(14, &ProfileBuilder::hostlist_domains, "b.com");
    option(15, &ProfileBuilder::hostlist_domains, "c.com");
    option(16, &ProfileBuilder::ipset_exclude, set);
    option(17, &ProfileBuilder::ipset_ip, "1.2.3.4");
    option(18, &ProfileBuilder::hostlist_auto, dir.file("auto"));
    const BuiltProfiles built = builder.finish();
    ASSERT_EQ(built.profiles.size(), 2U);
    EXPECT_EQ(built.profiles[0]->position, 3U);
    EXPECT_EQ(built.profiles[0]->instances[0].position, 4U);
    EXPECT_EQ(built.profiles[1]->position, 11U);
    ASSERT_EQ(built.profiles[1]->instances.size(), 2U);
    EXPECT_EQ(built.profiles[1]->instances[0].position, 8U) << "imported: where it was written";
    EXPECT_EQ(built.profiles[1]->instances[1].position, 13U);
    ASSERT_EQ(built.unused_templates.size(), 1U);
    EXPECT_EQ(built.unused_templates[0].position, 10U);
    std::vector<OptionPosition> uses;
    for (const ListUse& use : built.list_uses) {
        uses.push_back(use.position);
        EXPECT_NE(use.hosts == nullptr, use.nets == nullptr);
    }
    EXPECT_EQ(uses, (std::vector<OptionPosition>{5, 14, 16, 17}));
}

TEST_F(Import, RecordedExample) {
    ASSERT_TRUE(
        options.parse({"--template=t1", "--filter-tcp=80", "--lua-desync=f", "--new",
                       "--template=t2", "--import=t1", "--lua-desync=g", "--new", "--name=p1",
                       "--import=t2", "--lua-desync=h", "--new=p2", "--lua-desync=i"}));
    ASSERT_EQ(options.built.user_profiles, 2U);
    EXPECT_EQ(options.built.templates, 2U);
    EXPECT_EQ(at(0).label(), "1 (p1)");
    EXPECT_EQ(funcs(at(0)), "f,g,h");
    EXPECT_TRUE(at(0).tcp.matches(80));
    EXPECT_FALSE(at(0).tcp.matches(81));
    EXPECT_EQ(at(1).label(), "2 (p2)");
    EXPECT_EQ(funcs(at(1)), "i");
    EXPECT_TRUE(at(1).tcp.empty());
}

TEST_F(Import, OnlyClosedTemplates) {
    ASSERT_TRUE(options.give("--template=t"));
    EXPECT_EQ(error_of("--import=t"), "template 't' not found");
    EXPECT_EQ(error_of("--import=x"), "template 'x' not found");
    ASSERT_TRUE(options.give("--new=p"));
    ASSERT_TRUE(options.give("--import=t"));
    ASSERT_TRUE(options.give("--new"));
    EXPECT_EQ(error_of("--import=p"), "template 'p' not found"); // a profile is no template
}

TEST_F(Import, AutoSettingsOnlyIfGiven) {
    ASSERT_TRUE(options.parse(
        {"--template=a", "--hostlist-auto-fail-time=7", "--hostlist-auto-udp-in=9", "--new",
         "--template=b", "--import=a", "--hostlist-auto-retrans-reset=0", "--new",
         "--hostlist-auto-fail-threshold=5", "--hostlist-auto-fail-time=99", "--import=b"}));
    const AutoHostOptions& o = at(0).auto_options;
    EXPECT_EQ(o.fail_threshold, 5U); // own, not given in the template
    EXPECT_EQ(o.fail_time, 7U);      // overwritten, given two imports away
    EXPECT_EQ(o.udp_in, 9U);
    EXPECT_FALSE(o.retrans_reset);
    EXPECT_EQ(o.retrans_maxseq, 32768U);
}

TEST_F(Import, EveryAutoSetting) {
    ASSERT_TRUE(options.parse(
        {"--template=t", "--hostlist-auto-fail-threshold=4", "--hostlist-auto-fail-time=5",
         "--hostlist-auto-retrans-threshold=6", "--hostlist-auto-retrans-maxseq=7",
         "--hostlist-auto-retrans-reset=0", "--hostlist-auto-incoming-maxseq=8",
         "--hostlist-auto-udp-out=9", "--hostlist-auto-udp-in=10", "--hostlist-auto-max=11",
         "--new", "--import=t"}));
    const AutoHostOptions& o = at(0).auto_options;
    EXPECT_EQ(o.fail_threshold, 4U);
    EXPECT_EQ(o.fail_time, 5U);
    EXPECT_EQ(o.retrans_threshold, 6U);
    EXPECT_EQ(o.retrans_maxseq, 7U);
    EXPECT_FALSE(o.retrans_reset);
    EXPECT_EQ(o.incoming_maxseq, 8U);
    EXPECT_EQ(o.udp_out, 9U);
    EXPECT_EQ(o.udp_in, 10U);
    EXPECT_EQ(o.max, 11U);
}

TEST_F(Import, L7Replaces) {
    ASSERT_TRUE(options.parse({"--template=t", "--filter-l7=tls", "--new", "--template=all",
                               "--filter-l7=all", "--new", "--template=none", "--new",
                               "--filter-l7=http", "--import=t", "--new", "--filter-l7=http",
                               "--import=all", "--new", "--filter-l7=http", "--import=none"}));
    EXPECT_EQ(at(0).l7, protocol::L7Set::of(protocol::L7::tls));
    EXPECT_TRUE(at(1).l7.empty());
    EXPECT_EQ(at(2).l7, protocol::L7Set::of(protocol::L7::http));
}

TEST_F(Import, L3IsUnited) {
    ASSERT_TRUE(options.parse({"--template=t", "--filter-l3=ipv4", "--new", "--template=none",
                               "--new", "--filter-l3=ipv6", "--import=t", "--new", "--import=t",
                               "--new", "--filter-l3=ipv6", "--import=none", "--new", "--import=t",
                               "--filter-l3=ipv6"}));
    EXPECT_TRUE(at(0).ipv4 && at(0).ipv6);
    EXPECT_TRUE(at(1).ipv4 && !at(1).ipv6);
    EXPECT_TRUE(!at(2).ipv4 && at(2).ipv6);
    EXPECT_TRUE(at(3).ipv4 && at(3).ipv6);
}

TEST_F(Import, MarkAndOtherNetworksReplaceIfGiven) {
    ASSERT_TRUE(options.parse({"--template=t", "--filter-mark=5", "--filter-ssid-neg=1", "--new",
                               "--template=none", "--new", "--filter-mark=6", "--import=t", "--new",
                               "--filter-mark=6", "--import=none", "--new", "--template=nested",
                               "--import=t", "--new", "--import=nested"}));
    EXPECT_TRUE(at(0).mark.matches(5) && !at(0).mark.matches(6));
    EXPECT_TRUE(at(0).other_ssids);
    EXPECT_TRUE(at(1).mark.matches(6) && !at(1).mark.matches(5));
    EXPECT_FALSE(at(1).other_ssids);
    EXPECT_TRUE(at(2).mark.matches(5) && !at(2).mark.matches(6)) << "two imports away";
}

TEST_F(Import, CookieReplacesIfPresent) {
    ASSERT_TRUE(options.parse({"--template=t", "--cookie=", "--new", "--template=none", "--new",
                               "--cookie=a", "--import=t", "--new", "--cookie=a", "--import=none",
                               "--new"}));
    EXPECT_EQ(at(0).cookie, "");
    EXPECT_EQ(at(1).cookie, "a");
    EXPECT_FALSE(at(2).cookie);
}

TEST_F(Import, ListsAreAppendedInOrder) {
    const std::string a = dir.write("a", "a.com\n");
    const std::string b = dir.write("b", "b.com\n");
    const std::string n = dir.write("n", "10.0.0.0/8\n");
    ASSERT_TRUE(options.parse(
        {"--template=t", "--filter-tcp=80", "--filter-udp=53", "--filter-icmp=8", "--filter-ipp=47",
         "--filter-lport=1000", "--filter-ssid=x,,y", "--hostlist=" + a, "--hostlist-exclude=" + b,
         "--ipset=" + n, "--ipset-exclude-ip=1.1.1.1", "--lua-desync=f", "--new", "--hostlist=" + b,
         "--filter-tcp=443", "--filter-ssid=z", "--import=t", "--hostlist=" + a}));
    const Profile& p = at(0);
    EXPECT_TRUE(p.tcp.matches(80) && p.tcp.matches(443) && !p.tcp.matches(81));
    EXPECT_TRUE(p.udp.matches(53) && !p.udp.matches(54));
    EXPECT_TRUE(p.icmp.matches(8, 0) && !p.icmp.matches(0, 0));
    EXPECT_TRUE(p.ipp.matches(47) && !p.ipp.matches(48));
    EXPECT_TRUE(p.lport.matches(1000) && !p.lport.matches(1001));
    EXPECT_EQ(p.ssids, (std::vector<std::string>{"z", "x", "y"}));
    ASSERT_EQ(p.hosts.lists().size(), 2U); // `a` once, after `b`
    EXPECT_EQ(p.hosts.lists()[0]->file(), b);
    EXPECT_EQ(p.hosts.lists()[1]->file(), a);
    EXPECT_EQ(p.hosts_exclude.lists().size(), 1U);
    EXPECT_EQ(p.nets.lists().size(), 1U);
    EXPECT_EQ(p.nets_exclude.lists().size(), 1U);
}

TEST_F(Import, InstancesKeepTheirState) {
    ASSERT_TRUE(options.parse({"--template=t", "--payload=http_req", "--out-range=-d5",
                               "--in-range=a", "--lua-desync=f", "--new", "--payload=dht",
                               "--import=t", "--lua-desync=g"}));
    const auto& instances = at(0).instances;
    EXPECT_EQ(instances[0].payload, protocol::PayloadSet::of(protocol::Payload::http_req));
    EXPECT_EQ(flow::to_text(instances[0].out_range), "a0-d5");
    EXPECT_EQ(flow::to_text(instances[0].in_range), "a0-a0");
    EXPECT_EQ(instances[1].payload, protocol::PayloadSet::of(protocol::Payload::dht));
    EXPECT_EQ(flow::to_text(instances[1].out_range), "a0-a0");
    EXPECT_EQ(flow::to_text(instances[1].in_range), "x0-x0");
}

TEST_F(Import, AnonymousListsAreShared) {
    ASSERT_TRUE(options.parse({"--template=t", "--hostlist-domains=a.com", "--ipset-ip=10.0.0.1",
                               "--new", "--import=t", "--hostlist-domains=b.com",
                               "--ipset-ip=10.0.0.2", "--new", "--import=t"}));
    EXPECT_EQ(at(0).hosts.lists()[0], at(1).hosts.lists()[0]);
    EXPECT_TRUE(at(0).hosts.find({"b.com", false}));
    EXPECT_FALSE(at(1).hosts.find({"b.com", false}));
    EXPECT_TRUE(at(1).hosts.find({"a.com", false}));
    EXPECT_TRUE(at(0).nets.find(testing::ip("10.0.0.2")));
    EXPECT_FALSE(at(1).nets.find(testing::ip("10.0.0.2")));
}

TEST_F(Import, SecondAutoListIsRefused) {
    const std::string a = dir.file("a");
    const std::string b = dir.file("b");
    ASSERT_TRUE(options.give("--template=t"));
    ASSERT_TRUE(options.give("--hostlist-auto=" + a));
    ASSERT_TRUE(options.give("--new"));
    ASSERT_TRUE(options.give("--hostlist-auto=" + a));
    ASSERT_TRUE(options.give("--import=t")); // the same file
    ASSERT_TRUE(options.give("--new"));
    ASSERT_TRUE(options.give("--hostlist-auto=" + b));
    EXPECT_EQ(error_of("--import=t"),
              "autohostlist replacement is not supported\ncould not copy template");
}

TEST_F(Import, AutoListIsTaken) {
    ASSERT_TRUE(
        options.parse({"--template=t", "--hostlist-auto=" + dir.file("a"), "--new", "--import=t"}));
    EXPECT_EQ(at(0).auto_hosts->file(), dir.file("a"));
    EXPECT_EQ(at(0).hosts.lists().front(), at(0).auto_hosts);
    EXPECT_TRUE(uses_auto_hosts(options.built.profiles));
}

TEST_F(Import, ServerModeCheckSkipsTemplates) {
    ASSERT_TRUE(options.parse({"--template=t", "--hostlist-auto=" + dir.file("a"), "--new"}));
    EXPECT_FALSE(uses_auto_hosts(options.built.profiles));
}

TEST_F(Skip, ListsAfterItAreNotTouched) {
    for (const char* option :
         {"--hostlist=", "--hostlist-exclude=", "--ipset=", "--ipset-exclude="}) {
        const std::string word = option + dir.file("missing");
        ASSERT_TRUE(options.give("--skip"));
        EXPECT_TRUE(options.give(word)) << word;
        ASSERT_TRUE(options.give("--new"));
        EXPECT_FALSE(options.give(word)) << word; // without --skip, or before it
    }
}

TEST_F(Skip, AutoListIsNotCreated) {
    ASSERT_TRUE(options.parse({"--skip", "--hostlist-auto=" + dir.file("new")}));
    EXPECT_FALSE(std::filesystem::exists(dir.file("new")));
    EXPECT_EQ(options.built.user_profiles, 0U);
}

TEST_F(Skip, OtherOptionsAreChecked) {
    ASSERT_TRUE(options.give("--skip"));
    EXPECT_FALSE(options.give("--filter-tcp=x"));
    EXPECT_FALSE(options.give("--import=x"));
    EXPECT_FALSE(options.give("--lua-desync=f::"));
    EXPECT_TRUE(options.give("--hostlist-domains=a.com"));
}

TEST_F(Skip, TemplateNameIsNotRegistered) {
    ASSERT_TRUE(options.give("--template=t"));
    ASSERT_TRUE(options.give("--skip"));
    ASSERT_TRUE(options.give("--new"));
    EXPECT_FALSE(options.give("--import=t"));
    ASSERT_TRUE(options.give("--template=t"));
    EXPECT_TRUE(options.finish());
    EXPECT_EQ(options.built.templates, 1U);
}

} // namespace
} // namespace nfqws2::profile
