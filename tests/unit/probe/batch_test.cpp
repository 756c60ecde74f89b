#include "probe/batch.hpp"
#include "probe/daemon.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace nfqws2::probe;

namespace {

// Answers at once what the site of a strategy is named for.
class Scripted final : public Asker {
  public:
    std::map<std::string, Attempt> sites;
    std::size_t asked = 0;
    std::size_t first_in_use = 0, last_in_use = 0; // of the questions: the local port is
    std::size_t most_at_once = 0;
    // This site answers when so many questions were asked, or none comes any more; how many had
    // been asked then.
    std::string slow;
    std::size_t slow_until = 0;
    std::size_t asked_before = 0;
    std::chrono::milliseconds deaf{0}; // so long it keeps the program from listening, once

    void ask(const Question& question) override {
        Answer answer{question.owner, question.number, sites.at(question.place)};
        ++asked;
        moved_ = std::chrono::steady_clock::now();
        if (asked >= first_in_use && asked <= last_in_use) {
            answer.attempt.code = code_port;
        }
        (question.place == slow ? slow_ : answers_).push_back(answer);
        most_at_once = std::max(most_at_once, answers_.size() + slow_.size());
    }
    bool work(int /*milliseconds*/, std::vector<Answer>& answers) override {
        if (!answers_.empty()) {
            std::this_thread::sleep_for(std::exchange(deaf, std::chrono::milliseconds(0)));
        }
        const auto patience = std::chrono::steady_clock::now() - std::chrono::seconds(10);
        if (!slow_.empty() && (asked >= slow_until || moved_ < patience)) {
            asked_before = asked_before == 0 ? asked : asked_before;
            answers_.insert(answers_.end(), slow_.begin(), slow_.end());
            slow_.clear();
        }
        answers.insert(answers.end(), answers_.begin(), answers_.end());
        answers_.clear();
        return true;
    }

  private:
    std::vector<Answer> answers_, slow_;
    std::chrono::steady_clock::time_point moved_; // the last question
};

Attempt attempt(int code, bool connected) {
    Attempt one;
    one.code = code;
    one.connected = connected;
    return one;
}

// A folder of a run, and a daemon that only lives, or whatever this shell command does.
class Trial {
  public:
    explicit Trial(const std::string& command = "exec sleep 1000") {
        std::string name = testing::TempDir() + "nfqws2-batch-XXXXXX";
        EXPECT_NE(mkdtemp(name.data()), nullptr);
        options.folder = name;
        std::filesystem::create_directory(name + "/pids");
        options.daemon = {"sh", "-c", command};
        options.addresses = {"192.0.2.1"};
        options.ranges = {
            {20000, 20999, 1}, {21000, 21999, 2}, {22000, 22999, 3}, {23000, 23999, 4}};
        options.list_of_queues = name + "/nothing"; // nobody knows which are bound
    }
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;
    ~Trial() { std::filesystem::remove_all(options.folder); }

    std::string results(Asker& asker, const std::string& strategies, End end) const {
        struct Close {
            void operator()(std::FILE* file) const { std::fclose(file); }
        };
        const std::unique_ptr<std::FILE, Close> in(std::tmpfile());
        const std::unique_ptr<std::FILE, Close> out(std::tmpfile());
        std::fputs(strategies.c_str(), in.get());
        std::rewind(in.get());
        EXPECT_EQ(run_batch(options, asker, in.get(), out.get()), end);
        std::rewind(out.get());
        std::string text(65536, ' ');
        text.resize(std::fread(text.data(), 1, text.size(), out.get()));
        return text;
    }

    Options options;
};

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

// That all are refused however few there are lies in the strategies.
TEST(ABatch, WhereNoneConnectsIsNotCrowded) {
    Trial run;
    run.options.parallel = 2;
    Scripted asker;
    asker.sites["a"] = attempt(code_refused, false);
    const auto text = run.results(
        asker, "curl_test_http a --lua-desync=x\ncurl_test_http a --lua-desync=y\n", End::done);
    EXPECT_TRUE(has(text, "RESULTS=2 RESULTS_GOOD=0 BATCH_SAID=''")) << text;
}

// What has to be asked once more in a round has not connected in it.
TEST(ABatch, RoundWaitsForPortsInUse) {
    Trial run;
    run.options.parallel = 4;
    Scripted asker;
    asker.sites["a"] = attempt(28, false);
    asker.first_in_use = 5; // of four strategies: the first ones of the round
    asker.last_in_use = 8;
    std::string strategies;
    for (const char* const word :
         {"--lua-desync=a", "--lua-desync=b", "--lua-desync=c", "--lua-desync=d"}) {
        strategies += std::string("curl_test_http a ") + word + '\n';
    }
    const auto text = run.results(asker, strategies, End::done);
    EXPECT_TRUE(has(text, "RESULTS=4 RESULTS_GOOD=0 BATCH_SAID=''")) << text;
}

// Groups that only wait for their last answers leave the others room.
TEST(ABatch, AsksOnWhileSomeWait) {
    Trial run;
    run.options.parallel = 6;
    Scripted asker;
    asker.sites = {{"slow", attempt(code_timeout, true)}, {"quick", attempt(56, true)}};
    asker.slow = "slow";
    asker.slow_until = 40;
    std::string strategies;
    for (int n = 0; n < 40; ++n) {
        const char* const site = n == 0 || n == 3 ? "slow" : "quick"; // in two groups
        strategies +=
            std::string("curl_test_http ") + site + " --comment=" + std::to_string(n) + '\n';
    }
    const auto text = run.results(asker, strategies, End::done);
    EXPECT_TRUE(has(text, "RESULTS=40 RESULTS_GOOD=0")) << text;
    EXPECT_EQ(asker.asked_before, 40U);
    EXPECT_LE(asker.most_at_once, 6U);
}

// Answers may have come meanwhile.
TEST(ABatch, AsksAgainWhenItDidNotListen) {
    Trial run;
    run.options.max_time = 400;
    Scripted asker;
    asker.sites["a"] = attempt(code_timeout, true);
    asker.deaf = std::chrono::milliseconds(300);
    auto text = run.results(asker, "curl_test_http a --lua-desync=x\n", End::done);
    EXPECT_TRUE(has(text, "RESULTS=1 RESULTS_GOOD=0")) << text;
    EXPECT_EQ(asker.asked, 2U);
}

// What was not looked into when there was enough has no result.
TEST(ABatch, WithEnoughKeepsOnlySureFailures) {
    Scripted asker;
    asker.sites = {{"cut", attempt(56, true)},
                   {"refused", attempt(code_refused, false)},
                   {"good", attempt(0, true)}};
    const std::string strategies = "curl_test_http cut --lua-desync=a\ncurl_test_http refused "
                                   "--lua-desync=b\ncurl_test_http good --lua-desync=c\n";
    Trial run;
    run.options.enough = true;
    auto text = run.results(asker, strategies, End::enough);
    EXPECT_TRUE(has(text, "RESULTS=2 RESULTS_GOOD=1")) << text;
    EXPECT_TRUE(has(text, "cut --lua-desync=a") && has(text, "good --lua-desync=c")) << text;
    Trial wrong("echo 'LUA ERROR: no' >&2; echo '  in profile 1' >&2; exec sleep 1000");
    wrong.options.enough = true;
    text = wrong.results(asker, strategies, End::enough);
    EXPECT_TRUE(has(text, "RESULTS=1 RESULTS_GOOD=1")) << text;
}

TEST(WordsOfAStrategy, ThatDoNotEndAreNotAwaitedForEver) {
    Trial run("exit 3");
    std::string why;
    EXPECT_FALSE(is_valid(run.options, {}, why));
    EXPECT_EQ(why, "nfqws2 ended without a word");
    run.options.daemon.back() = "echo no >&2; exit 1";
    EXPECT_FALSE(is_valid(run.options, {}, why));
    EXPECT_EQ(why, "no");
    run.options.daemon.back() = "exit 0";
    EXPECT_TRUE(is_valid(run.options, {}, why));
    EXPECT_EQ(std::filesystem::file_size(run.options.folder + "/pids/daemon.check"), 0U);
    run.options.daemon.back() = "exec sleep 1000";
    run.options.patience = std::chrono::milliseconds(50);
    EXPECT_FALSE(is_valid(run.options, {}, why));
    EXPECT_EQ(why, no_start);
}
