// Theory of operation: PR_SET_KEEPCAPS lets the permitted set survive the change of user. Then the
// capabilities shrink in two steps, because emptying the bounding set needs SETPCAP, which must not
// stay. What is left (NET_ADMIN, NET_RAW) cannot grow again: bounding, inheritable and ambient sets
// are empty, and the secure bits that keep them so are locked.
#include "nfqws2/sandbox/privileges.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/base/text.hpp"

#include <cerrno>
#include <grp.h>
#include <memory>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <type_traits>
#include <unistd.h>

namespace nfqws2::sandbox {

namespace {

struct CapabilityFree {
    void operator()(cap_t c) const { cap_free(c); }
};
using Capabilities = std::unique_ptr<std::remove_pointer_t<cap_t>, CapabilityFree>;

bool is_effective(cap_value_t capability) {
    const Capabilities current(cap_get_proc());
    cap_flag_value_t value = CAP_CLEAR;
    return current && cap_get_flag(current.get(), capability, CAP_EFFECTIVE, &value) == 0 &&
           value == CAP_SET;
}

// Permitted and effective become exactly this set; nothing is inheritable.
bool set_capabilities(const std::vector<cap_value_t>& wanted) {
    const Capabilities next(cap_init());
    if (!next) return false;
    const int count = static_cast<int>(wanted.size());
    for (const cap_flag_t flag : {CAP_PERMITTED, CAP_EFFECTIVE})
        if (count != 0 && cap_set_flag(next.get(), flag, count, wanted.data(), CAP_SET) < 0)
            return false;
    return cap_set_proc(next.get()) == 0;
}

bool empty_bounding_set() {
    for (cap_value_t c = 0; cap_get_bound(c) >= 0; c++) {
        if (cap_drop_bound(c) < 0) {
            log::os_error("cap_drop_bound", errno);
            return false;
        }
    }
    return true;
}

// No program ever run would get capabilities for being run by root, and nothing of this can be
// changed again. Kernels before 4.3 have no ambient set to protect.
void lock_secure_bits() {
    constexpr unsigned long root_is_nobody = 1 << 0 | 1 << 1; // SECBIT_NOROOT and its lock
    constexpr unsigned long keep_caps_stays_off = 1 << 5;
    constexpr unsigned long no_ambient_raise = 1 << 6 | 1 << 7;
    constexpr unsigned long old_bits = root_is_nobody | keep_caps_stays_off;
    if (prctl(PR_SET_SECUREBITS, old_bits | no_ambient_raise, 0L, 0L, 0L) == 0) return;
    if (prctl(PR_SET_SECUREBITS, old_bits, 0L, 0L, 0L) < 0)
        log::os_error("prctl(PR_SET_SECUREBITS)", errno);
}

bool failed(const char* what) {
    log::os_error(what, errno);
    return false;
}

} // namespace

bool can_change_identity() {
    return is_effective(CAP_SETUID) && is_effective(CAP_SETGID);
}

bool change_identity(const Identity& identity) {
    if (identity.gids.empty()) {
        log::error("no group to change to");
        return false;
    }
    const gid_t primary = identity.gids.front();
    if (prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) < 0) return failed("prctl(PR_SET_KEEPCAPS)");
    if (!identity.user.empty()) {
        if (initgroups(identity.user.c_str(), primary) < 0) return failed("initgroups");
    } else if (setgroups(identity.gids.size(), identity.gids.data()) < 0) {
        return failed("setgroups");
    }
    if (setgid(primary) < 0) return failed("setgid");
    if (setuid(identity.uid) < 0) return failed("setuid");
    prctl(PR_SET_KEEPCAPS, 0L, 0L, 0L, 0L);
    return true;
}

bool drop_capabilities(KeptCapabilities keep) {
    std::vector<cap_value_t> kept;
    if (keep == KeptCapabilities::network) kept = {CAP_NET_ADMIN, CAP_NET_RAW};

    std::vector<cap_value_t> first = kept;
    first.push_back(CAP_SETPCAP);
    if (set_capabilities(first)) {
        if (!empty_bounding_set()) return false;
        lock_secure_bits();
    }
    if (set_capabilities(kept)) return true;

    const int error = errno;
    log::os_error("setpcap", error);
    for (const cap_value_t c : kept)
        if (!is_effective(c)) return false;
    return true;
}

bool forbid_new_privileges() {
    return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0 || failed("PR_SET_NO_NEW_PRIVS(prctl)");
}

std::string running_as() {
    std::string text = nfqws2::format("Running as UID=%u GID=", getuid());
    std::vector<gid_t> groups;
    const int count = getgroups(0, nullptr);
    if (count > 0) {
        groups.resize(static_cast<std::size_t>(count));
        const int filled = getgroups(count, groups.data());
        groups.resize(filled > 0 ? static_cast<std::size_t>(filled) : 0);
    }
    if (groups.empty()) groups.push_back(getgid());
    const char* separator = "";
    for (const gid_t g : groups) {
        text += nfqws2::format("%s%u", separator, g);
        separator = ",";
    }
    return text;
}

} // namespace nfqws2::sandbox
