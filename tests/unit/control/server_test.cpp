// The server is turned by hand; its clients are real sockets.
#include "nfqws2/control/server.hpp"

#include "socket_helper.hpp"

#include <fcntl.h>

namespace nfqws2::control {
namespace {

// Says its number of lines, one a piece; then ends or waits.
class Counting final : public Answer {
  public:
    Counting(int lines, bool endless, std::size_t width, int* alive)
        : lines_(lines), endless_(endless), width_(width), alive_(alive) {
        ++*alive_;
    }
    ~Counting() override { --*alive_; }

    Next write(std::string& out) override {
        if (said_ == lines_) {
            if (endless_) return Next::later;
            out += "{\"end\":true}\n";
            return Next::end;
        }
        out += std::to_string(said_++) + std::string(width_, '.') + "\n";
        return Next::more;
    }
    bool endless() const override { return endless_; }
    void close(std::string& out) override { out += "{\"end\":true,\"closed\":true}\n"; }

  private:
    int lines_, said_ = 0;
    bool endless_;
    std::size_t width_;
    int* alive_;
};

class ServerTest : public ::testing::Test {
  protected:
    ServerTest() {
        rights_ = {geteuid(), getegid(), geteuid()};
        make();
    }

    void make() {
        server_.reset();
        ListeningSocket socket = listen_at(folder_ / "s", getegid());
        ASSERT_TRUE(socket) << socket.error;
        server_ = std::make_unique<Server>(std::move(socket), rights_, commands(), clock_);
    }

    std::vector<Command> commands() {
        const auto counting = [this](bool endless) {
            return [this, endless](const Request& request, Refusal*) -> std::unique_ptr<Answer> {
                made_++;
                const std::int64_t* lines = request.number("lines");
                const std::int64_t* width = request.number("width");
                return std::make_unique<Counting>(
                    lines != nullptr ? static_cast<int>(*lines) : 0, endless,
                    width != nullptr ? static_cast<std::size_t>(*width) : 0, &alive_);
            };
        };
        const std::vector<Field> fields = {{"lines", Kind::number, 0, 100'000},
                                           {"width", Kind::number, 0, 100'000}};
        return {{"count", Access::read, fields, counting(false)},
                {"watch", Access::read, fields, counting(true)},
                {"fail", Access::all, {}, [](const Request&, Refusal* refusal) {
                     *refusal = {"failed", "as it was asked to"};
                     return std::unique_ptr<Answer>();
                 }}};
    }

    void turn(int times = 1) {
        for (int i = 0; i < times; i++) {
            const auto watched = server_->watched();
            poll(watched.data(), watched.size(), 0);
            server_->turn();
        }
    }
    FileDescriptor client() {
        FileDescriptor file = connect_to(folder_ / "s");
        fcntl(file.get(), F_SETFL, O_NONBLOCK);
        turn();
        return file;
    }
    static void say(const FileDescriptor& file, std::string_view text) {
        ASSERT_EQ(send(file.get(), text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    // What has come by now.
    static std::string heard(const FileDescriptor& file) {
        std::string text;
        char buffer[65536];
        for (ssize_t n = 0; (n = recv(file.get(), buffer, sizeof buffer, 0)) > 0;)
            text.append(buffer, static_cast<std::size_t>(n));
        return text;
    }
    static bool is_closed(const FileDescriptor& file) {
        char byte = 0;
        const ssize_t n = recv(file.get(), &byte, 1, MSG_PEEK);
        return n == 0 || (n < 0 && errno == ECONNRESET);
    }
    std::string ask(const FileDescriptor& file, const std::string& line) {
        say(file, line + "\n");
        turn(10);
        return heard(file);
    }
    std::size_t clients() const { return server_->watched().size() - 1; }

    Folder folder_;
    VirtualClock clock_;
    Rights rights_;
    int made_ = 0, alive_ = 0;
    std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersALine) {
    const FileDescriptor file = client();
    EXPECT_EQ(server_->wait_ms(), -1);
    EXPECT_EQ(ask(file, R"({"cmd":"count","lines":2})"), "0\n1\n{\"end\":true}\n");
    EXPECT_EQ(ask(file, R"({"cmd":"fail"})"),
              "{\"error\":\"as it was asked to\",\"code\":\"failed\",\"end\":true}\n");
    EXPECT_NE(ask(file, "nonsense").find("\"code\":\"bad-request\""), std::string::npos);
    EXPECT_EQ(ask(file, ""), "");
    EXPECT_EQ(ask(file, R"({"cmd":"count"})"), "{\"end\":true}\n");
    EXPECT_EQ(alive_, 0);
    EXPECT_EQ(server_->wait_ms(), -1);
}

TEST_F(ServerTest, AnswersInPiecesAsTheTurnsGo) {
    const FileDescriptor file = client();
    say(file, "{\"cmd\":\"count\",\"lines\":3}\n");
    turn();
    EXPECT_EQ(heard(file), "0\n");
    EXPECT_EQ(server_->wait_ms(), 0);
    turn();
    EXPECT_EQ(heard(file), "1\n");
    turn(2);
    EXPECT_EQ(heard(file), "2\n{\"end\":true}\n");
}

TEST_F(ServerTest, AnswersInOrder) {
    const FileDescriptor file = client();
    say(file, "{\"cmd\":\"count\",\"lines\":1}\n{\"cmd\":\"count\"}\n{\"cmd\":\"fail\"}\n");
    turn(10);
    const std::string text = heard(file);
    EXPECT_EQ(text.substr(0, 2 + 2 * 13), "0\n{\"end\":true}\n{\"end\":true}\n");
    EXPECT_NE(text.find("as it was asked to"), std::string::npos);
}

TEST_F(ServerTest, ARequestMayComeByteByByte) {
    const FileDescriptor file = client();
    const std::string line = "{\"cmd\":\"count\"}\n";
    for (const char c : line) {
        EXPECT_EQ(heard(file), "");
        say(file, {&c, 1});
        turn();
    }
    EXPECT_EQ(heard(file), "{\"end\":true}\n");
}

TEST_F(ServerTest, AStreamEndsWithTheNextLine) {
    const FileDescriptor file = client();
    EXPECT_EQ(ask(file, R"({"cmd":"watch","lines":1})"), "0\n");
    EXPECT_EQ(server_->wait_ms(), -1);
    EXPECT_EQ(ask(file, R"({"cmd":"count"})"), "{\"end\":true,\"closed\":true}\n{\"end\":true}\n");
    ask(file, R"({"cmd":"watch"})");
    EXPECT_EQ(ask(file, ""), "{\"end\":true,\"closed\":true}\n");
    EXPECT_EQ(alive_, 0);
}

TEST_F(ServerTest, AStreamEndsWithItsClient) {
    FileDescriptor file = client();
    ask(file, R"({"cmd":"watch"})");
    EXPECT_EQ(alive_, 1);
    file.reset();
    turn();
    EXPECT_EQ(alive_, 0);
    EXPECT_EQ(clients(), 0U);
}

TEST_F(ServerTest, WhoEndsHisSideGetsHisAnswers) {
    const FileDescriptor file = client();
    say(file, "{\"cmd\":\"count\",\"lines\":2}\n{\"cmd\":\"count\"}"); // the last without its end
    shutdown(file.get(), SHUT_WR);
    turn(10);
    EXPECT_EQ(heard(file), "0\n1\n{\"end\":true}\n{\"end\":true}\n");
    EXPECT_TRUE(is_closed(file));
    EXPECT_EQ(clients(), 0U);
}

TEST_F(ServerTest, WhoLeavesAtOnceIsHeard) {
    FileDescriptor file = client();
    say(file, "{\"cmd\":\"count\",\"lines\":9}\n{\"cmd\":\"count\"}\n");
    file.reset();
    turn();
    EXPECT_EQ(made_, 2);
    EXPECT_EQ(clients(), 0U);
    EXPECT_EQ(alive_, 0);
}

TEST_F(ServerTest, ALongLineEndsTheConnection) {
    const FileDescriptor file = client();
    const std::string part(16384, 'x');
    for (int i = 0; i < 5 && clients() == 1; i++) {
        say(file, part);
        turn();
    }
    EXPECT_NE(heard(file).find("a request has at most 65536 bytes"), std::string::npos);
    EXPECT_TRUE(is_closed(file));
    EXPECT_EQ(clients(), 0U);
}

TEST_F(ServerTest, ALongLineIsNoBetterWithItsEnd) {
    const FileDescriptor file = client();
    const std::string line = "{\"cmd\":\"count\"" + std::string(Request::max_size, ' ') + "}\n";
    for (std::size_t at = 0; at < line.size(); at += 16384)
        say(file, std::string_view(line).substr(at, 16384));
    turn();
    EXPECT_NE(heard(file).find("a request has at most 65536 bytes"), std::string::npos);
    EXPECT_TRUE(is_closed(file));
}

TEST_F(ServerTest, ALineMayBeAsLongAsItMay) {
    const FileDescriptor file = client();
    std::string line = "{\"cmd\":\"count\"";
    line += std::string(Request::max_size - line.size() - 1, ' ') + "}\n";
    for (std::size_t at = 0; at < line.size(); at += 16384) {
        say(file, std::string_view(line).substr(at, 16384));
        turn();
    }
    turn();
    EXPECT_EQ(heard(file), "{\"end\":true}\n");
}

TEST_F(ServerTest, WhoDoesNotReadGetsNoMoreThanFits) {
    const FileDescriptor file = client();
    say(file, "{\"cmd\":\"count\",\"lines\":100000,\"width\":1000}\n");
    turn(2000);
    const std::size_t first = heard(file).size();
    EXPECT_LT(first, 1'000'000U); // of a hundred times as much
    EXPECT_GT(first, 10'000U);
    turn(100);
    EXPECT_GT(heard(file).size(), 10'000U); // and goes on
}

TEST_F(ServerTest, WhoDoesNotReadIsDropped) {
    const FileDescriptor file = client();
    say(file, "{\"cmd\":\"count\",\"lines\":100000,\"width\":1000}\n");
    turn(2000);
    EXPECT_GT(server_->wait_ms(), 4000);
    clock_.advance_to(4'999'000'000);
    turn();
    EXPECT_EQ(clients(), 1U);
    clock_.advance_to(5'000'000'000);
    EXPECT_EQ(server_->wait_ms(), 0);
    turn();
    EXPECT_EQ(clients(), 0U);
    EXPECT_EQ(alive_, 0);
}

TEST_F(ServerTest, WhoAsksNothingStays) {
    const FileDescriptor file = client();
    clock_.advance_to(1'000'000'000'000);
    turn(3);
    EXPECT_EQ(ask(file, R"({"cmd":"count"})"), "{\"end\":true}\n");
}

TEST_F(ServerTest, ThereIsRoomForSixteen) {
    std::vector<FileDescriptor> files;
    for (std::size_t i = 0; i < Server::max_clients; i++)
        files.push_back(client());
    EXPECT_EQ(clients(), Server::max_clients);
    const FileDescriptor one_more = client();
    EXPECT_NE(heard(one_more).find("\"code\":\"busy\""), std::string::npos);
    EXPECT_TRUE(is_closed(one_more));
    files.pop_back();
    turn();
    const FileDescriptor later = client();
    EXPECT_EQ(ask(later, R"({"cmd":"count"})"), "{\"end\":true}\n");
}

TEST_F(ServerTest, ABurstComesInByAndBy) {
    std::vector<FileDescriptor> files;
    files.reserve(12);
    for (int i = 0; i < 12; i++)
        files.push_back(connect_to(folder_ / "s"));
    turn();
    EXPECT_EQ(clients(), 4U);
    turn(2);
    EXPECT_EQ(clients(), 12U);
}

// Nothing more happens on the socket: the server itself says that there is work.
TEST_F(ServerTest, LinesThatCameTogetherAreAllAnswered) {
    const FileDescriptor one = client();
    const std::string line = "{\"cmd\":\"count\",\"lines\":2}\n";
    say(one, line + line + line);
    turn();
    for (int i = 0; i < 100 && server_->wait_ms() == 0; i++)
        turn();
    const std::string answer = "0\n1\n{\"end\":true}\n";
    EXPECT_EQ(heard(one), answer + answer + answer);
}

} // namespace
} // namespace nfqws2::control
