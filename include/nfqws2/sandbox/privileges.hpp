// Giving up what the program does not need: user, groups, capabilities. To be called before any
// thread is made, because capabilities belong to threads.
#pragma once

#include <string>
#include <vector>

namespace nfqws2::sandbox {

// Who to become.
struct Identity {
    unsigned uid = 0x7FFFFFFF;
    std::vector<unsigned> gids{0x7FFFFFFF}; // first is the primary group, all are supplementary
    std::string user;                       // if set, the supplementary groups are this user's
};

enum class KeptCapabilities {
    none,    // offline runs
    network, // NET_ADMIN and NET_RAW: the queue and raw sockets
};

// CAP_SETUID and CAP_SETGID are in effect: without --user/--uid the program drops to Identity{}.
bool can_change_identity();

// Groups first, then the user; permitted capabilities survive it until drop_capabilities().
// False: logged.
bool change_identity(const Identity& identity);

// Empties the bounding and inheritable sets and keeps only the named capabilities. False: logged;
// with `network` only if these two are not in effect in the end.
bool drop_capabilities(KeptCapabilities keep);

// Sets no_new_privs: no program that is run gives more rights. Landlock and seccomp need it. False:
// logged.
bool forbid_new_privileges();

// "Running as UID=1 GID=1,2"
std::string running_as();

} // namespace nfqws2::sandbox
