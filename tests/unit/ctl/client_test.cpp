#include "ctl/client/sockets.hpp"
#include "ctl/json.hpp"

#include "nfqws2/base/file.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace nfqws2::ctl {
namespace {

class Folder {
  public:
    Folder() {
        char name[] = "/tmp/ctl.XXXXXX";
        path_ = mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    const std::string& path() const { return path_; }
    std::string add_socket(const std::string& name) {
        const std::string file = path_ + "/" + name;
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, file.c_str(), file.size());
        FileDescriptor fd(socket(AF_UNIX, SOCK_STREAM, 0));
        EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        sockets_.push_back(std::move(fd));
        return file;
    }

  private:
    std::string path_;
    std::vector<FileDescriptor> sockets_;
};

bool nobody(const std::string&) {
    return false;
}
bool number_300(const std::string& path) {
    return path.ends_with("-300.sock");
}
bool everybody(const std::string&) {
    return true;
}

TEST(Sockets, WhatIsNamedIsTaken) {
    EXPECT_EQ(choose_socket("/x/y", "", "/none", nobody).path, "/x/y");
    EXPECT_EQ(choose_socket("", "300", "/run/z", nobody).path, "/run/z/nfqws2-300.sock");
    EXPECT_EQ(choose_socket("", "home", "/run/z", nobody).path, "/run/z/nfqws2-home.sock");
}

TEST(Sockets, TheOneThatAnswersIsTaken) {
    Folder folder;
    EXPECT_NE(choose_socket("", "", folder.path(), nobody).error.find("no daemon"),
              std::string::npos);
    EXPECT_NE(choose_socket("", "", folder.path() + "/none", nobody).error, "");
    const std::string first = folder.add_socket("nfqws2-200.sock");
    EXPECT_EQ(choose_socket("", "", folder.path(), nobody).path, first) << "its error tells more";
    const std::string second = folder.add_socket("nfqws2-300.sock");
    folder.add_socket("other.sock");
    std::ofstream(folder.path() + "/nfqws2-file.sock") << "x";
    EXPECT_EQ(socket_files(folder.path()), (std::vector<std::string>{first, second}));
    EXPECT_EQ(choose_socket("", "", folder.path(), number_300).path, second);
    const Choice both = choose_socket("", "", folder.path(), everybody);
    EXPECT_EQ(both.path, "");
    EXPECT_NE(both.error.find(first + "\n  " + second), std::string::npos) << both.error;
    EXPECT_NE(choose_socket("", "", folder.path(), nobody).error.find("no daemon answers"),
              std::string::npos);
}

TEST(Json, OnlyObjectsOfReasonableDepth) {
    EXPECT_TRUE(parse_object("{\"a\":\"[[[[{{{{\\\"\"}", 100));
    EXPECT_FALSE(parse_object("{}", 1));
    EXPECT_FALSE(parse_object("[1]", 100));
    EXPECT_FALSE(parse_object("{\"a\":" + std::string(100'000, '['), 1'000'000));
    EXPECT_FALSE(parse_object("{\"a\":\"\xff\"}", 100)) << "no UTF-8";
}

TEST(Json, WhatIsNotThereIsNothing) {
    const Json object{{"text", "x"}, {"number", 1.5}, {"big", UINT64_MAX}, {"list", {1}}};
    EXPECT_EQ(text_of(member(object, "number")), "");
    EXPECT_EQ(text_of(member(object, "none")), "");
    EXPECT_EQ(text_of(member(Json(5), "x")), "");
    EXPECT_FALSE(integer_of(member(object, "number")));
    EXPECT_EQ(integer_of(member(object, "big")), INT64_MAX);
    EXPECT_EQ(real_of(member(object, "number")), 1.5);
    EXPECT_EQ(elements(member(object, "text")).size(), 0U);
    EXPECT_EQ(elements(member(object, "list")).size(), 1U);
    EXPECT_EQ(dump(Json("\xff")), "\"\xEF\xBF\xBD\"");
}

} // namespace
} // namespace nfqws2::ctl
