// What a reload finds out before it does anything: what changes, what is refused, what is
// forgotten.
#include "app/reload/candidate.hpp"

#include "../parse_helper.hpp"

#include <thread>

namespace nfqws2::app {
namespace {

// A program that has started with some options.
class Running {
  public:
    explicit Running(const std::vector<std::string>& words, bool lua_reload = false)
        : parsed_(words) {
        EXPECT_TRUE(parsed_.good()) << parsed_.err << parsed_.finish_error;
        parsed_.state.config.lua_reload = lua_reload;
        for (const std::string& word : words)
            before_.arguments.words.push_back({word, 0});
        before_.set = option_set(before_.arguments);
        for (const ParseState::BlobFile& file : parsed_.state.blob_files)
            parsed_.state.config.engine.blobs[file.blob].data = read_blob(file.source);
        before_.blobs = fingerprints(parsed_.config().engine.blobs);
        before_.lua = read_lua_items(parsed_.config().engine.lua_init);
        EXPECT_TRUE(parsed_.lists().load_all());
        generation_ = profile::make_generation(std::move(parsed_.state.config.profiles));
    }

    // In a thread, as in the program.
    std::unique_ptr<Candidate> read(const std::vector<std::string>& words) {
        auto candidate = std::make_unique<Candidate>(
            clock_, parsed_.lists(), Surroundings{parsed_.config(), generation_, before_, globals});
        Arguments arguments;
        arguments.program = "nfqws2";
        for (const std::string& word : words)
            arguments.words.push_back({word, 0});
        std::thread([&] { good = candidate->read({}, &arguments); }).join();
        return candidate;
    }
    std::string error(const std::vector<std::string>& words) {
        const auto candidate = read(words);
        EXPECT_FALSE(good);
        return candidate->error();
    }

    LuaGlobals globals{{"f", "function"}, {"g", "function"}};
    bool good = false;
    profile::ListStore& lists() { return parsed_.lists(); }
    const profile::Generation& generation() const { return *generation_; }

  private:
    RealClock clock_;
    Parsed parsed_;
    InForce before_;
    profile::GenerationPtr generation_;
};

std::vector<std::string> shown(const Candidate& candidate) {
    std::vector<std::string> texts;
    for (const Change& change : candidate.changes())
        texts.push_back(std::string(change.what) + " " + change.name + " " + change.how);
    return texts;
}

using Texts = std::vector<std::string>;

TEST(Candidate, HasTheNextGeneration) {
    Running running({"--qnum=1", "--lua-desync=f:a=1", "--new=n", "--lua-desync=g"});
    const auto candidate = running.read(
        {"--qnum=1", "--filter-tcp=1", "--lua-desync=f:a=1", "--new=n", "--lua-desync=f", "--new"});
    ASSERT_TRUE(running.good) << candidate->error();
    EXPECT_EQ(shown(*candidate),
              (Texts{"profile  changed", "profile n changed", "profile  added"}));
    const profile::Generation& next = *candidate->next().profiles;
    EXPECT_EQ(next.first_id, running.generation().end_id());
    EXPECT_TRUE(next.continues(running.generation().first_id + 1, 1));
    EXPECT_FALSE(next.continues(running.generation().first_id + 2, 2));
    EXPECT_TRUE(next.continues(running.generation().first_id, 0));
    EXPECT_FALSE(next.continues(running.generation().first_id + 3, 3));
    EXPECT_EQ(&next.by_id(next.first_id), next.profiles.back().get());
    EXPECT_EQ(candidate->next().forgotten, Texts{"g_2_1"});
}

TEST(Candidate, NothingHasChanged) {
    Running running({"--qnum=1", "--lua-desync=f"});
    const auto candidate = running.read({"--qnum=1", "--comment=new", "--lua-desync=f"});
    EXPECT_TRUE(running.good && candidate->changes().empty()) << candidate->error();
}

TEST(Candidate, RefusesWhatOnlyARestartCanChange) {
    Running running({"--qnum=1", "--lua-init=x=1"});
    EXPECT_EQ(running.error({"--qnum=2", "--lua-init=x=1"}),
              "--qnum has changed (2, was 1): a restart is needed");
    EXPECT_EQ(running.error({"--qnum=1", "--lua-init=x=1", "--workers=2", "--daemon"}),
              "--daemon has changed (given, was not given); --workers has changed (2, was not "
              "given): a restart is needed");
    EXPECT_EQ(running.error({"--qnum=1"}),
              "--lua-init=x=1 is no more, what it did cannot be undone: a restart is needed");
    EXPECT_EQ(running.error({"--qnum=1", "--lua-init=x=1", "--lua-init=y=1"}),
              "--lua-init=y=1 has changed: a restart is needed, or --lua-reload to run it again in "
              "the same state");
    EXPECT_EQ(running.error({"--qnum=1", "--lua-init=x=1", "--filter-ssid=a"}),
              "--filter-ssid is new: a restart is needed");
    EXPECT_EQ(running.error({"--qnum=1", "--lua-init=x=1", "--filter-ctstate=new"}),
              "--ct is off, and filters of connections are new: a restart is needed");
}

TEST(Candidate, SaysWhatIsWrongAndWhere) {
    Running running({"--qnum=1"});
    EXPECT_EQ(running.error({"--qnum=1", "--nonsense"}),
              "unrecognized option '--nonsense' (argument 2)");
    EXPECT_TRUE(contains(running.error({"--qnum=1", "--filter-tcp=70000"}),
                         "option '--filter-tcp' (argument 2): "));
    EXPECT_TRUE(contains(running.error({"--qnum=1", "--lua-desync=h"}),
                         "option '--lua-desync' (argument 2): desync function 'h' does not exist"));
    EXPECT_EQ(running.error({"--qnum=1", "--import=t"}).find("option '--import' "), 0U);
    EXPECT_TRUE(contains(running.error({"--qnum=1", "--hostlist=/nowhere"}), "/nowhere"));
    EXPECT_TRUE(contains(running.error({"--qnum=1", "--blob=b:@/nowhere"}), "/nowhere"));
    EXPECT_TRUE(contains(running.error({"--qnum=1", "--blob=b:0x1"}), "invalid hex string"));
    EXPECT_TRUE(contains(running.error({"--qnum=1", "--blob"}), "requires"));
}

// A start asks for less than --check: what it has accepted must not stand in the way of a change
// elsewhere.
TEST(Candidate, WhatRunsIsNoReasonToRefuse) {
    const TempDir dir;
    const std::string groups = dir.file("groups", ".example one\n");
    const Texts gap = {"--qnum=1",
                       "--lua-desync=circular",
                       "--lua-desync=f:strategy=2",
                       "--new",
                       "--lua-desync=learn:groups=" + groups,
                       "--lua-desync=f:strategy=1"};
    Running running(gap);
    running.globals["circular"] = running.globals["learn"] = "function";
    std::filesystem::remove(groups);
    Texts words = gap;
    words.insert(words.begin() + 1, "--filter-tcp=80");
    words.insert(words.end(), {"--new", "--lua-desync=g"});
    const auto candidate = running.read(words);
    EXPECT_TRUE(running.good) << candidate->error();
    EXPECT_EQ(candidate->changes().size(), 2U);
    EXPECT_TRUE(candidate->report().has_errors()) << "they are told";
    words[3] = "--lua-desync=f:strategy=3";
    EXPECT_TRUE(contains(running.error(words), "numbered from 1 without gaps, 1 is missing"));
    words = gap;
    words.back() = "--lua-desync=g:strategy=1";
    EXPECT_TRUE(contains(running.error(words), "No such file or directory"));
}

TEST(Candidate, ABlobThatIsStillNeededIsNotTakenAway) {
    Running running({"--qnum=1", "--blob=b:0x00", "--lua-desync=fake:blob=b"});
    running.globals["fake"] = "function";
    running.globals["b"] = "string";
    EXPECT_TRUE(contains(running.error({"--qnum=1", "--lua-desync=fake:blob=b"}),
                         "blob 'b' does not exist"));
}

TEST(Candidate, ComparesBlobsByTheirBytes) {
    const TempDir dir;
    const std::string file = dir.file("blob", "one");
    Running running({"--qnum=1", "--blob=a:@" + file, "--blob=b:0x00", "--blob=c:0x00"});
    auto candidate =
        running.read({"--qnum=1", "--blob=c:0x00", "--blob=a:@" + file, "--blob=b:0x00"});
    EXPECT_TRUE(running.good && candidate->changes().empty());
    dir.file("blob", "two");
    candidate = running.read({"--qnum=1", "--blob=a:@" + file, "--blob=c:0x00", "--blob=d:0x01"});
    ASSERT_TRUE(running.good) << candidate->error();
    EXPECT_EQ(shown(*candidate), (Texts{"blob a changed", "blob d added", "blob b removed"}));
    EXPECT_EQ(candidate->replaced_blobs().size(), 2U);
    EXPECT_EQ(candidate->next().blobs.size(), 3U);
    EXPECT_EQ(candidate->next().blob_bytes, 5U);
}

TEST(Candidate, SharesListsThatAreThere) {
    const TempDir dir;
    const std::string old = dir.file("old", "a.example\n"), fresh = dir.file("new", "b.example\n");
    Running running({"--qnum=1", "--hostlist=" + old});
    {
        const auto candidate =
            running.read({"--qnum=1", "--hostlist=" + old, "--hostlist=" + fresh});
        ASSERT_TRUE(running.good) << candidate->error();
        const profile::Profile& before = *running.generation().profiles[0];
        const profile::Profile& now = *candidate->next().profiles->profiles[0];
        ASSERT_EQ(now.hosts.lists().size(), 2U);
        EXPECT_EQ(now.hosts.lists()[0], before.hosts.lists()[0]);
        EXPECT_TRUE(now.hosts.lists()[1]->contains({"b.example", false}));
        EXPECT_EQ(running.lists().count(), 1U);
        running.lists().take_over(candidate->lists());
        EXPECT_EQ(running.lists().count(), 2U);
        EXPECT_TRUE(running.lists().take_unused().empty());
    }
    // Its profiles are gone.
    EXPECT_EQ(running.lists().take_unused().size(), 1U);
    EXPECT_EQ(running.lists().count(), 1U);
}

TEST(Candidate, AutomaticListsStayWhatTheyAre) {
    const TempDir dir;
    const std::string automatic = dir.file("auto", ""), plain = dir.file("plain", "a.example\n");
    Running running({"--qnum=1", "--hostlist-auto=" + automatic, "--hostlist-exclude=" + plain});
    const auto candidate =
        running.read({"--qnum=1", "--filter-tcp=80", "--hostlist-auto=" + automatic});
    ASSERT_TRUE(running.good) << candidate->error();
    EXPECT_EQ(candidate->next().profiles->profiles[0]->auto_hosts,
              running.generation().profiles[0]->auto_hosts);
    EXPECT_TRUE(contains(running.error({"--qnum=1", "--hostlist-auto=" + plain}),
                         "becomes an automatic list: a restart is needed"));
}

TEST(Candidate, ScriptsThatHaveChanged) {
    const TempDir dir;
    const std::string file = dir.file("script.lua", "x = 1");
    const std::vector<std::string> words{"--qnum=1", "--lua-init=@" + file, "--lua-init=y = 2"};
    Running running(words, true);
    auto candidate = running.read(words);
    EXPECT_TRUE(running.good && candidate->lua_items().empty());
    dir.file("script.lua", "x = 2");
    candidate = running.read(words);
    ASSERT_TRUE(running.good) << candidate->error();
    EXPECT_EQ(shown(*candidate), Texts{"lua-init " + file + " changed"});
    ASSERT_EQ(candidate->lua_items().size(), 1U);
    EXPECT_EQ(candidate->lua_items()[0].text, file);
    dir.file("script.lua", "x = (");
    EXPECT_TRUE(contains(running.error(words), "script.lua:1:"));
}

TEST(Candidate, WhatSeveralInstancesHaveLearnedStaysWhileOneDoes) {
    Running running({"--qnum=1", "--lua-desync=f:key=k", "--lua-desync=g:key=k",
                     "--lua-desync=f:key=o", "--lua-desync=g"});
    const auto candidate =
        running.read({"--qnum=1", "--lua-desync=f:key=k", "--lua-desync=g:key=k:a=1",
                      "--lua-desync=f:key=p", "--lua-desync=g:a=1"});
    ASSERT_TRUE(running.good) << candidate->error();
    EXPECT_EQ(candidate->next().forgotten, (Texts{"o", "g_1_4"}));
}

} // namespace
} // namespace nfqws2::app
