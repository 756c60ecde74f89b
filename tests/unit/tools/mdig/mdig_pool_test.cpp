// The whole of mdig over a resolver of our own.
#include "tools/mdig/mdig_pool.hpp"

#include "../tool_testing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <map>
#include <netdb.h>
#include <new>
#include <poll.h>
#include <set>
#include <sstream>
#include <thread>
#include <unistd.h>

namespace nfqws2::tools {
namespace {

using testing::lines;
using testing::TempFile;

IpAddress ip(const char* text) {
    return *IpAddress::parse(text);
}

// The zone of docs/contracts/tools.md#zone-of-the-tests, and families of names for the crowd tests.
class FakeResolver final : public Resolver {
  public:
    int resolve(const std::string& name, Families families,
                std::vector<IpAddress>& addresses) override {
        calls_++;
        if (name.starts_with("ok")) {
            addresses.push_back(ip(("10.1." + name.substr(2)).c_str()));
            return 0;
        }
        if (name.starts_with("again")) return EAI_AGAIN;
        if (name.starts_with("third")) return third_time_lucky(name, addresses);
        if (name.starts_with("nomem")) throw std::bad_alloc();
        const auto found = zone_.find(name);
        if (found == zone_.end()) return EAI_NONAME;
        for (const char* text : found->second) {
            const IpAddress address = ip(text);
            if (address.version == 4 ? families.v4 : families.v6) addresses.push_back(address);
        }
        return addresses.empty() ? EAI_NODATA : 0;
    }
    unsigned calls() const { return calls_; }

  private:
    int third_time_lucky(const std::string& name, std::vector<IpAddress>& addresses) {
        const std::lock_guard lock(mutex_);
        if (++attempts_[name] < 3) {
            addresses.push_back(ip("6.6.6.6")); // must not survive the failed attempt
            return EAI_AGAIN;
        }
        addresses.push_back(ip("10.0.0.3"));
        return 0;
    }

    std::atomic<unsigned> calls_{0};
    std::mutex mutex_;
    std::map<std::string, int> attempts_;
    const std::map<std::string, std::vector<const char*>> zone_{
        {"a.test", {"10.0.0.1", "2001:db8::1"}},
        {"multi.test", {"10.0.0.2", "10.0.0.3"}},
        {"v4only.test", {"10.0.0.4"}},
        {"v6only.test", {"2001:db8::6"}},
        {"alias.test", {"10.0.0.1", "2001:db8::1"}},
    };
};

// The same without threads. The last question is answered first.
class FakeAsyncResolver final : public AsyncResolver {
  public:
    void ask(unsigned slot, const std::string& name, Families families) override {
        asked_.push_back({slot, name, families});
    }
    void wait(int descriptor, int timeout_ms, std::vector<Answer>& answers) override {
        if (asked_.empty()) {
            pollfd input{descriptor, POLLIN, 0};
            poll(&input, descriptor >= 0 ? 1 : 0, timeout_ms);
        }
        while (!asked_.empty()) {
            const Question question = asked_.back();
            asked_.pop_back();
            Answer answer{question.slot, 0, {}};
            answer.code = resolver_.resolve(question.name, question.families, answer.addresses);
            if (answer.code != 0) answer.addresses.clear();
            answers.push_back(std::move(answer));
        }
    }
    unsigned calls() const { return resolver_.calls(); }

  private:
    struct Question {
        unsigned slot;
        std::string name;
        Families families;
    };
    FakeResolver resolver_;
    std::vector<Question> asked_;
};

enum class Way : char { threads, loop };

// Everything holds for both.
class MdigPool : public ::testing::TestWithParam<Way> {};
INSTANTIATE_TEST_SUITE_P(Both, MdigPool, ::testing::Values(Way::threads, Way::loop),
                         [](const auto& way) {
                             return std::string(way.param == Way::threads ? "Threads" : "Loop");
                         });

struct Outcome {
    int code = -1;
    std::string out;
    std::string err;
    unsigned calls = 0;
};

int run_on(const MdigOptions& options, const MdigStreams& streams) {
    if (MdigPool::GetParam() == Way::loop) {
        FakeAsyncResolver resolver;
        return run_mdig(options, resolver, streams);
    }
    FakeResolver resolver;
    return run_mdig(options, resolver, streams);
}

Outcome run(const MdigOptions& options, const std::string& input) {
    const TempFile in(input);
    const TempFile out;
    const TempFile err;
    const auto by = [&](auto resolver) -> Outcome {
        const int code = run_mdig(options, resolver, {in.fd(), out.fd(), err.fd()});
        return {code, out.content(), err.content(), resolver.calls()};
    };
    if (MdigPool::GetParam() == Way::loop) return by(FakeAsyncResolver());
    return by(FakeResolver());
}

MdigOptions family(bool v4, bool v6) {
    MdigOptions options;
    options.families = {v4, v6};
    return options;
}

const std::string six = lines("a.test multi.test v4only.test v6only.test alias.test nx.test");

TEST_P(MdigPool, FamiliesAndOrder) {
    const Outcome v4 = run({}, six);
    EXPECT_EQ(v4.code, 0);
    EXPECT_EQ(v4.err, "");
    EXPECT_EQ(v4.out, lines("10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.1"));
    EXPECT_EQ(run(family(false, true), six).out, lines("2001:db8::1 2001:db8::6 2001:db8::1"));
    EXPECT_EQ(run(family(true, true), "a.test\n").out, lines("10.0.0.1 2001:db8::1"));
}

TEST_P(MdigPool, LiteralsAndNamesKeepTheirOrderWithOneThread) {
    EXPECT_EQ(
        run({}, lines("1.1.1.1 a.test 2.2.2.2 3.3.3.3 v4only.test 4.4.4.4/8 bad! 5.5.5.5")).out,
        lines("1.1.1.1 10.0.0.1 2.2.2.2 3.3.3.3 10.0.0.4 4.4.4.4/8 5.5.5.5"));
    std::string many;
    for (int i = 0; i < 3000; i++)
        many += "10.0." + std::to_string(i / 256) + '.' + std::to_string(i % 256) + '\n';
    EXPECT_EQ(run({}, many).out, many);
}

TEST_P(MdigPool, Literals) {
    EXPECT_EQ(run(family(true, true),
                  lines("::1 ::1/64 ::1/128 ::1/129 2001:DB8:0::5 10.0.0.1/0 ::ffff:1.2.3.4"))
                  .out,
              lines("::1 ::1/64 ::1 2001:DB8:0::5 10.0.0.1/0 ::ffff:1.2.3.4"));
    const Outcome v4 = run({}, lines("10.0.0.5 10.0.0.0/8 10.0.0.1/32 10.0.0.1/33 10.0.0.1/x "
                                     "10.1.1.1/24junk ::1"));
    EXPECT_EQ(v4.out, lines("10.0.0.5 10.0.0.0/8 10.0.0.1 10.1.1.1/24"));
    EXPECT_EQ(v4.calls, 0U);
}

TEST_P(MdigPool, EmptyInput) {
    const Outcome nothing = run({}, "");
    EXPECT_EQ(nothing.code, 0);
    EXPECT_EQ(nothing.out + nothing.err, "");
}

TEST_P(MdigPool, AllFailedIsStillExitZero) {
    EXPECT_EQ(run({}, lines("nx.test bad! ::1")).code, 0);
}

TEST_P(MdigPool, VerboseMessages) {
    MdigOptions options;
    options.verbose = true;
    const Outcome got = run(options, "a.test\nnx.test\n::1\n10.0.0.1/33\nbad\x01!\n\n10.0.0.1\n");
    EXPECT_EQ(got.err, "[0] started\n"
                       "[0] resolving a.test\n"
                       "[0] resolving nx.test\n"
                       "[0] failed to resolve nx.test : result -2 (EAI_NONAME)\n"
                       "[0] wrong address family ::1\n"
                       "[0] bad ip/subnet 10.0.0.1/33\n"
                       "[0] invalid domain : bad?!\n"
                       "[0] ended\n");
    EXPECT_EQ(got.out, lines("10.0.0.1 10.0.0.1"));
}

TEST_P(MdigPool, LongLinesFailOnce) {
    MdigOptions options;
    options.verbose = true;
    options.stats = 100;
    const Outcome got = run(options, std::string(100000, 'a') + "\na.test\n");
    EXPECT_EQ(got.out, "10.0.0.1\n");
    EXPECT_NE(got.err.find("[0] invalid domain : " + std::string(64, 'a') + '\n'),
              std::string::npos);
    EXPECT_NE(got.err.find("domains=2 success=1 error=1\n"), std::string::npos);
}

TEST_P(MdigPool, RetriesWhileTheResolverSaysAgain) {
    MdigOptions options;
    options.verbose = true;
    options.eagain = 3;
    options.eagain_delay_ms = 40;
    const auto start = std::chrono::steady_clock::now();
    const Outcome got = run(options, "again.test\n");
    const auto took = std::chrono::steady_clock::now() - start;
    EXPECT_EQ(got.code, 0);
    EXPECT_EQ(got.out, "");
    EXPECT_EQ(got.calls, 3U);
    const std::string message = "[0] failed to resolve again.test : result -3 (EAI_AGAIN)\n";
    EXPECT_EQ(got.err, "[0] started\n[0] resolving again.test\n" + message + message + message +
                           "[0] ended\n");
    EXPECT_GE(took, std::chrono::milliseconds(120)); // after the last attempt too
    EXPECT_LT(took, std::chrono::seconds(20));       // not seconds each

    options.verbose = false;
    EXPECT_EQ(run(options, "third.test\n").out, "10.0.0.3\n");
    options.eagain = 2;
    EXPECT_EQ(run(options, "third.test\n").out, "");
}

// Replaces each "mdig stats : HH:MM:SS : " by "@".
std::string without_stamps(const std::string& text) {
    static const std::string pattern = "mdig stats : DD:DD:DD : ";
    const auto matches = [](char pattern_char, char c) {
        return pattern_char == 'D' ? c >= '0' && c <= '9' : pattern_char == c;
    };
    std::string out;
    for (auto from = text.begin();;) {
        const auto found =
            std::search(from, text.end(), pattern.begin(), pattern.end(),
                        [&](char c, char pattern_char) { return matches(pattern_char, c); });
        out.append(from, found);
        if (found == text.end()) return out;
        out += '@';
        from = found + static_cast<std::ptrdiff_t>(pattern.size());
    }
}

TEST_P(MdigPool, Statistics) {
    MdigOptions options;
    options.stats = 2;
    const Outcome got = run(options, "a.test\nnx.test\n\nv4only.test\nbad!\n");
    EXPECT_EQ(got.out, lines("10.0.0.1 10.0.0.4"));
    EXPECT_EQ(without_stamps(got.err), "@domains=2 success=1 error=1\n"
                                       "@domains=4 success=2 error=2\n"
                                       "@domains=5 success=2 error=3\n");
    // Also when all the lines arrive in one batch.
    const Outcome literals = run(options, lines("1.1.1.1 ::1 2.2.2.2 3.3.3.3"));
    EXPECT_EQ(without_stamps(literals.err), "@domains=2 success=1 error=1\n"
                                            "@domains=4 success=3 error=1\n"
                                            "@domains=4 success=3 error=1\n");
}

TEST_P(MdigPool, Logs) {
    const TempFile resolved("old content\n");
    const TempFile failed("old content\n");
    MdigOptions options;
    options.log_resolved = resolved.path();
    options.log_failed = failed.path();
    const Outcome got = run(options, "a.test \r\nnx.test\n\n10.0.0.0/8\n10.0.0.0/33\n::1\nbad!\n"
                                     "multi.test\n10.0.0.1/32\n");
    EXPECT_EQ(got.code, 0);
    EXPECT_EQ(resolved.content(), lines("a.test 10.0.0.0/8 multi.test 10.0.0.1/32"));
    EXPECT_EQ(failed.content(), lines("nx.test 10.0.0.0/33 ::1 bad!"));
}

TEST_P(MdigPool, OneLogWorksWithoutTheOther) {
    const TempFile failed;
    MdigOptions options;
    options.log_failed = failed.path();
    EXPECT_EQ(run(options, lines("a.test nx.test")).out, "10.0.0.1\n");
    EXPECT_EQ(failed.content(), "nx.test\n");
}

TEST_P(MdigPool, LogsThatCannotBeCreated) {
    MdigOptions options;
    options.log_resolved = "/nonexistent/log";
    EXPECT_EQ(run(options, "a.test\n").code, 5);
    options.log_resolved.clear();
    options.log_failed = "/nonexistent/log";
    const Outcome got = run(options, "a.test\n");
    EXPECT_EQ(got.code, 5);
    EXPECT_EQ(got.out, "");
}

// Names that resolve, names that fail, names that need three attempts, literals and bad lines, from
// many threads at once: each line ends in exactly one log, each address line is whole.
TEST_P(MdigPool, ManyThreadsLoseAndTearNothing) {
    const TempFile resolved;
    const TempFile failed;
    MdigOptions options;
    options.threads = 64;
    options.eagain = 3;
    options.eagain_delay_ms = 0;
    options.stats = 100;
    options.log_resolved = resolved.path();
    options.log_failed = failed.path();
    std::string input;
    std::multiset<std::string> good, bad, addresses;
    for (int i = 0; i < 20000; i++) {
        const std::string dotted = std::to_string(i / 200) + '.' + std::to_string(i % 200);
        const auto add = [&](std::multiset<std::string>& to, const std::string& line) {
            input += line + '\n';
            to.insert(line);
        };
        switch (i % 8) {
        case 0:
        case 1:
        case 2:
            add(good, "ok" + dotted);
            addresses.insert("10.1." + dotted);
            break;
        case 3:
            add(bad, "nx" + dotted);
            break;
        case 4:
            add(bad, "again" + dotted);
            break;
        case 5:
            add(good, "third" + dotted);
            addresses.insert("10.0.0.3");
            break;
        case 6:
            add(good, "10.2." + dotted);
            addresses.insert("10.2." + dotted);
            break;
        default:
            add(bad, "bad!" + dotted);
        }
    }
    const Outcome got = run(options, input);
    EXPECT_EQ(got.code, 0);
    const auto lines_of = [](const std::string& text) {
        std::istringstream stream(text);
        std::multiset<std::string> out;
        for (std::string line; std::getline(stream, line);)
            out.insert(line);
        return out;
    };
    EXPECT_EQ(lines_of(got.out), addresses);
    EXPECT_EQ(lines_of(resolved.content()), good);
    EXPECT_EQ(lines_of(failed.content()), bad);
    EXPECT_EQ(std::count(got.err.begin(), got.err.end(), '\n'), 201);
    EXPECT_TRUE(got.err.ends_with("domains=20000 success=12500 error=7500\n")) << got.err;
}

// Somebody feeds names slowly and reads the answers: they must not sit in a buffer.
TEST_P(MdigPool, AnswersAreWrittenWhileTheInputWaits) {
    int in[2];
    int out[2];
    ASSERT_EQ(pipe(in), 0);
    ASSERT_EQ(pipe(out), 0);
    MdigOptions options;
    options.threads = 3;
    std::thread tool([&] { EXPECT_EQ(run_on(options, {in[0], out[1], 2}), 0); });
    for (const std::string line : {"a.test\n", "10.0.0.9\n", "v4only.test\n"}) {
        EXPECT_EQ(write(in[1], line.data(), line.size()), static_cast<ssize_t>(line.size()));
        char answer[64];
        const ssize_t n = read(out[0], answer, sizeof(answer));
        const std::string expected = line == "10.0.0.9\n" ? "10.0.0.9\n"
                                     : line == "a.test\n" ? "10.0.0.1\n"
                                                          : "10.0.0.4\n";
        EXPECT_EQ(std::string(answer, n > 0 ? static_cast<std::size_t>(n) : 0), expected);
    }
    close(in[1]);
    tool.join();
    for (const int fd : {in[0], out[0], out[1]})
        close(fd);
}

TEST_P(MdigPool, ReportsAFullDisk) {
    const TempFile in("10.0.0.1\n");
    const TempFile err;
    const FileDescriptor full(open("/dev/full", O_WRONLY));
    EXPECT_EQ(run_on({}, {in.fd(), full.get(), err.fd()}), 10);
    EXPECT_TRUE(err.content().starts_with("could not write to stdout : ")) << err.content();

    MdigOptions options;
    options.log_resolved = "/dev/full";
    EXPECT_EQ(run(options, "10.0.0.1\n").code, 10);
}

TEST_P(MdigPool, ReportsReadErrors) {
    const TempFile out;
    EXPECT_EQ(run_on({}, {-1, out.fd(), 2}), 10);
}

TEST_P(MdigPool, OutOfMemoryEndsTheRun) {
    MdigOptions options;
    options.threads = 4;
    EXPECT_EQ(run(options, "nomem.test\n" + six).code, 11);
}

} // namespace
} // namespace nfqws2::tools
