#include "nfqws2/control/listening_socket.hpp"

#include "socket_helper.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace nfqws2::control {
namespace {

TEST(ListeningSocket, HasItsGroupAndMode) {
    const Folder folder;
    const mode_t before = umask(022);
    const unsigned group = geteuid() == 0 ? 12 : getegid();
    const ListeningSocket socket = listen_at(folder / "s", group);
    EXPECT_EQ(umask(before), 022U);
    ASSERT_TRUE(socket) << socket.error;
    EXPECT_EQ(socket.path, folder / "s");
    struct stat st {};
    ASSERT_EQ(stat((folder / "s").c_str(), &st), 0);
    EXPECT_TRUE(S_ISSOCK(st.st_mode));
    EXPECT_EQ(st.st_mode & 07777U, 0660U);
    EXPECT_EQ(st.st_gid, group);
    EXPECT_TRUE(connect_to(folder / "s"));
}

TEST(ListeningSocket, ReplacesOneThatNobodyServes) {
    const Folder folder;
    EXPECT_TRUE(listen_at(folder / "s", getegid()));
    const ListeningSocket again = listen_at(folder / "s", getegid());
    EXPECT_TRUE(again) << again.error;
}

TEST(ListeningSocket, LeavesALiveOne) {
    const Folder folder;
    const ListeningSocket first = listen_at(folder / "s", getegid());
    const ListeningSocket second = listen_at(folder / "s", getegid());
    EXPECT_FALSE(second);
    EXPECT_EQ(second.error, "another process answers there; is the program running already?");
    EXPECT_TRUE(connect_to(folder / "s"));
}

TEST(ListeningSocket, LeavesALiveOneOfTheOtherKind) {
    const Folder folder;
    const ListeningSocket stream = listen_at(folder / "s", getegid());
    EXPECT_FALSE(take_datagrams_at(folder / "s"));
    EXPECT_TRUE(connect_to(folder / "s"));
    const ListeningSocket datagrams = take_datagrams_at(folder / "d");
    EXPECT_TRUE(datagrams) << datagrams.error;
    EXPECT_FALSE(listen_at(folder / "d", getegid()));
}

TEST(ListeningSocket, LeavesALiveOneWhoseQueueIsFull) {
    const Folder folder;
    const ListeningSocket first = listen_at(folder / "s", getegid());
    ASSERT_EQ(listen(first.file.get(), 0), 0);
    const FileDescriptor waiting = connect_to(folder / "s");
    EXPECT_FALSE(listen_at(folder / "s", getegid()));
}

TEST(ListeningSocket, LeavesWhatIsNoSocket) {
    const Folder folder;
    const FileDescriptor file(open((folder / "s").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    EXPECT_EQ(listen_at(folder / "s", getegid()).error, "there is something that is no socket");
    ASSERT_EQ(symlink("s", (folder / "link").c_str()), 0);
    EXPECT_EQ(listen_at(folder / "link", getegid()).error, "there is something that is no socket");
    EXPECT_EQ(access((folder / "s").c_str(), F_OK), 0);
}

TEST(ListeningSocket, NeedsItsFolder) {
    const Folder folder;
    const ListeningSocket socket = listen_at(folder / "none/s", getegid());
    EXPECT_FALSE(socket);
    EXPECT_NE(socket.error, "");
}

TEST(ListeningSocket, HasNoLongPath) {
    const Folder folder;
    const std::string name(120, 'x');
    EXPECT_EQ(listen_at(folder / name, getegid()).error,
              "the path of a socket has at most 107 bytes");
}

TEST(ListeningSocket, OfDatagramsIsForTheOwner) {
    const Folder folder;
    const ListeningSocket socket = take_datagrams_at(folder / "s");
    ASSERT_TRUE(socket) << socket.error;
    struct stat status {};
    ASSERT_EQ(stat((folder / "s").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    EXPECT_FALSE(take_datagrams_at(folder / "s")) << "somebody listens there";
}

} // namespace
} // namespace nfqws2::control
