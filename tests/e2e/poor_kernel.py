"""A kernel that lacks parts of the sandbox, as routers have them: calls are answered as it would."""
import ctypes
import errno
import platform
import struct

# Numbers of seccomp and prctl; landlock_create_ruleset is the same everywhere.
SECCOMP, PRCTL = {"x86_64": (317, 157), "aarch64": (277, 167)}.get(platform.machine(), (None, None))
LANDLOCK = 444
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, MODE_FILTER = 22, 38, 2
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
OFFSET_OF_NUMBER, OFFSET_OF_FIRST_ARGUMENT = 0, 16


def refusing(number):
    return [(EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | errno.ENOSYS)]


def program(parts):
    lines = [(LOAD, 0, 0, OFFSET_OF_NUMBER)]
    if "Landlock" in parts:
        lines += refusing(LANDLOCK)
    if "seccomp" in parts:
        lines += refusing(SECCOMP)
        lines += [(EQUAL, 0, 3, PRCTL), (LOAD, 0, 0, OFFSET_OF_FIRST_ARGUMENT),
                  (EQUAL, 0, 1, PR_SET_SECCOMP), (RETURN, 0, 0, ERRNO | errno.EINVAL)]
    lines.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in lines), len(lines)


def without(*parts):
    """For preexec_fn: from now on this kernel has no "Landlock", no "seccomp"."""
    code, length = program(parts)
    buffer = ctypes.create_string_buffer(code, len(code))
    filter_of_kernel = ctypes.create_string_buffer(
        struct.pack("@HP", length, ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)

    def before_exec():
        keep = buffer  # the filter points to it
        zero = ctypes.c_ulong(0)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) != 0 or \
                libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(MODE_FILTER), filter_of_kernel, zero,
                           zero) != 0:
            raise OSError(ctypes.get_errno(), "no filter of %d bytes" % len(keep))
    return before_exec
