-------------------------------------------------------------------------------------------------------------
-- 1. Loading
-------------------------------------------------------------------------------------------------------------

if NFQWS2_COMPAT_VER ~= NFQWS2_COMPAT_VER_REQUIRED then
	error("Incompatible NFQWS2_COMPAT_VER. Use pktws and lua scripts from the same release !")
end

-- How many bytes hexdump_dlog shows. May be set before this file is loaded.
HEXDUMP_DLOG_MAX = HEXDUMP_DLOG_MAX or 32

-- Masks that round down to a multiple of 4 and 8 (48 bits).
NOT3 = bitnot(3)
NOT7 = bitnot(7)

do
	local seconds, nanoseconds = clock_gettime()
	math.randomseed(bitxor(getpid(), gettid(), seconds, nanoseconds))
end

local native_dlog = DLOG

-- Does somebody hear what is logged? Debugging is on, or a script has replaced DLOG.
local function is_logging()
	return b_debug or DLOG ~= native_dlog
end

-- Logs format:format(...). The text is built only if somebody hears it: debugging is on, or a script has replaced DLOG.
-- All libraries log by this.
function dlog_format(format, ...)
	if is_logging() then DLOG(format:format(...)) end
end
