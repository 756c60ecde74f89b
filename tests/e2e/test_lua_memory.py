"""Floods that fill the memory of the Lua state: the program lives, calls go on, and none of that costs
many times what it costs with plenty of memory."""
import os
import re
import resource
import struct

from harness import cases, check, check_equal, without_root
from offline_world import Flow
from packets import ACK, RST

PLENTY = 256
FLOWS = 30000
# Every flow asks for a host of its own and is reset by it.
STRATEGY = ["--filter-tcp=80", "--lua-desync=circular:fails=2",
            "--lua-desync=multisplit:pos=2:strategy=1",
            "--lua-desync=fake:blob=fake_default_http:strategy=2"]


def flood(path, flows):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 101))
        for n in range(flows):
            flow = Flow(40000, client="11.%d.%d.%d" % (n >> 16, n >> 8 & 255, n & 255))
            for raw in flow.visit("site%d.example" % n) + [flow.back(RST | ACK, offset=1)]:
                f.write(struct.pack("<IIII", 1700000000 + n // 6000, n % 6000 * 150, len(raw),
                                    len(raw)) + raw)


def run(env, capture, limit, *options):
    """What the program said, and the processor time it took."""
    libraries = ["--lua-init=@" + os.path.join(env.lua, "zapret-%s.lua" % name)
                 for name in ("lib", "antidpi", "auto")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    result = env.run("--pcap-in=" + capture, *libraries, "--lua-mem-limit=%d" % limit, *options,
                     *STRATEGY, timeout=400)
    taken = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return result, taken


def check_handled(result, errors_allowed):
    """A call that fails lets its packet pass; code 3 says that there was one."""
    told = re.search(r"accepted (\d+), modified 0, dropped (\d+), .* Lua errors (\d+)", result.stderr)
    check(told, "it said: %s", result.stderr[-500:])
    accepted, dropped, errors = map(int, told.groups())
    check_equal("exit code (%s)" % result.stderr[-500:], result.returncode, 3 if errors else 0)
    check(errors <= errors_allowed, "%d calls failed", errors)
    check_equal("packets", accepted + dropped, 5 * FLOWS)
    check(FLOWS - errors <= dropped <= FLOWS, "%d packets dropped", dropped)


@without_root
@cases({"far_below_the_default": (6,), "below_it": (10,), "at_the_least_default": (16,)})
def test_a_flood_of_hosts(env, limit):
    """When a collection is due depends on the machine's speed, so a call in a thousand may be refused."""
    with env.folder() as folder:
        capture = os.path.join(folder, "flood.pcap")
        flood(capture, FLOWS)
        os.chmod(capture, 0o644)
        plenty, usual = run(env, capture, PLENTY)
        check_handled(plenty, 0)
        little, taken = run(env, capture, limit)
        check_handled(little, FLOWS // 1000)
        print("%.2f s with plenty of memory, %.2f s with %d MB" % (usual, taken, limit))
        check(taken < 3 * usual, "%.2f s instead of %.2f", taken, usual)


AUTOSTATE = """
local give_back
function on_memory_low(f) give_back = f end
function fill()
    local function host(key, n, fields)
        local record = automate_host_record({track={hostname=key..n}, arg={key=key}, func_instance='x'})
        for name, value in pairs(fields) do record[name] = value end
    end
    for n = 1, 2000 do
        host('flood', n, {failure_counter=1, failure_time_last=n})
        host('learned', n, {nstrategy=3, failure_time_last=n})
    end
    host('flood', 'learned', {nstrategy=2, failure_time_last=1})
    for n = 1, 100 do host('few', n, {failure_counter=1, failure_time_last=n}) end
    autostate.mine = {1, 2, 3}
    autostate.text = 'kept'
end
function tell(when)
    local text = {}
    for _, key in ipairs({'flood', 'learned', 'few', 'mine'}) do
        local n = 0
        for _ in pairs(autostate[key]) do n = n + 1 end
        text[#text + 1] = key .. '=' .. n
    end
    print(when, table.concat(text, ' '), autostate.flood.floodlearned and 'safe' or 'lost')
end
"""


@without_root
def test_autostate_gives_back(env):
    """Lone failures go first, then the older half of what was learned; small tables and what is not of
    the library stay."""
    run_it = "fill() tell('before') local f = handler() f() tell('once') f() tell('twice') os.exit(0)"
    result = env.run("--intercept=0", "--lua-init=" + AUTOSTATE + "function handler() return give_back end",
                     "--lua-init=@" + os.path.join(env.lua, "zapret-lib.lua"),
                     "--lua-init=@" + os.path.join(env.lua, "zapret-auto.lua"),
                     "--lua-init=" + run_it)
    said = re.findall(r"^(before|once|twice)\t(.*)$", result.stdout, re.M)
    check_equal("records (%s)" % result.stderr, said, [
        ("before", "flood=2001 learned=2000 few=100 mine=3\tsafe"),
        ("once", "flood=1 learned=1000 few=100 mine=3\tsafe"),
        ("twice", "flood=1 learned=500 few=100 mine=3\tsafe")])


# A table that holds more than the limit's easy part, then room again.
UNDER_PRESSURE = """
local kept, turn = {}, 0
local function state() return (jit == nil or not jit.status()) and 'off' or 'on' end
local low
on_memory_low(function(used, limit) low = used / limit end)
timer_set('turn', function()
    turn = turn + 1
    if turn <= 11 then for i = 1, 10 do kept[#kept + 1] = ('x'):rep(100000) .. turn .. i end end
    if turn == 300 then -- a full collection a second, and the compiler is the last to go
        print('FULL', state(), low and low > 0.6 and low < 1)
        if jit then jit.on() print('ASKED', state()) end
        kept = {}
    end
    if turn > 300 and turn % 20 == 0 then collectgarbage() end
    for i = 1, 5 do timer_set('busy' .. i, function() end, 10, true) end
    if turn == 450 then print('EMPTY', state()) os.exit(0) end
end, 10)
"""


@without_root
def test_the_compiler_is_off_while_memory_is_short(env):
    result = env.run("--intercept=0", "--lua-mem-limit=16", "--lua-init=" + UNDER_PRESSURE)
    said = re.findall(r"^([A-Z]+)\t(.*)$", result.stdout, re.M)
    luajit = "JIT: " in result.stdout
    want = [("FULL", "off\ttrue"), ("EMPTY", "on" if luajit else "off")]
    check_equal("what the script saw (%s)" % result.stderr, said,
                want[:1] + [("ASKED", "off")] * luajit + want[1:])


@without_root
def test_one_collection_a_second(env):
    """However many calls the state is nearly full for."""
    script = ("kept={} for i=1,110 do kept[i]=('x'):rep(100000)..i end local turn=0 "
              "timer_set('turn', function() turn=turn+1 local t={} for i=1,200 do t[i]={i} end "
              "for i=1,20 do timer_set('busy'..i, function() end, 10, true) end "
              "if turn==300 then os.exit(0) end end, 10)")
    result = env.run("--intercept=0", "--debug", "--lua-mem-limit=16", "--lua-init=" + script)
    count = len(re.findall("in use after a collection near", result.stdout))
    print("%d collections in 3 seconds" % count)
    check(1 <= count <= 6, "%d collections:\n%s", count, result.stdout[-2000:])


@without_root
def test_beyond_all_grants(env):
    """One block far beyond the limit, asked for while compiled code might run."""
    script = "--lua-init=local t=('x'):rep(50000000)"
    result = env.run("--intercept=0", "--lua-mem-limit=16", script)
    if "JIT: " not in result.stdout:
        check_equal("exit code", result.returncode, 1)
        return
    check_equal("exit code", result.returncode, 102)
    check("--lua-init takes more memory than --lua-mem-limit allows. The process ends with code 102."
          in result.stderr, "it said: %s", result.stderr)


BOMB = """
local z = gzip_init()
local zeros, megabyte = {}, ('\\0'):rep(1024 * 1024)
for i = 1, 60 do zeros[i] = gzip_deflate(z, megabyte) end
zeros = table.concat(zeros) .. gzip_deflate(z)
print('BOMB', gunzip_inflate(gunzip_init(), zeros, 1000), gunzip_inflate(gunzip_init(), zeros, 1e9))
local small = gunzip_inflate(gunzip_init(), gzip_deflate(gzip_init(), 'a') .. '', 1e9)
print('SMALL', small)
"""


@without_root
def test_unpacked_text_counts_before_it_is_text(env):
    result = env.run("--intercept=0", "--lua-mem-limit=16", "--lua-init=" + BOMB)
    check_equal("exit code (%s)" % result.stderr[-500:], result.returncode, 0)
    check("BOMB\tnil\tnil\tnil" in result.stdout, "it said: %s", result.stdout[-500:])
    check("SMALL\t" in result.stdout, "a hint beyond the limit is an error: %s", result.stdout[-500:])
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print("%d MB of the machine's memory" % most)
    check(most < 50, "it took %d MB", most)


# All results are the same text, so nothing but what stands beside it can grow.
RESULTS = """
collectgarbage('stop')
for i = 1, 60000 do tls_mod(fake_default_tls, 'sni=www.example.com') end
print('DONE', collectgarbage('count') < 15000)
"""


@without_root
def test_results_leave_nothing_for_the_collector(env):
    result = env.run("--intercept=0", "--lua-mem-limit=32", "--lua-init=" + RESULTS)
    check("DONE\ttrue" in result.stdout, "it said: %s%s", result.stdout[-500:], result.stderr[-500:])
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print("%d MB of the machine's memory" % most)
    check(most < 40, "it took %d MB", most)


@without_root
def test_machine_code_is_bounded_by_the_limit(env):
    """A script's wish beyond is cut down, not refused: what ran on a large machine starts on a small one."""
    start = "--lua-init=if jit then require('jit.opt').start('maxmcode=65536', 'sizemcode=64') end"
    result = env.run("--intercept=0", "--lua-mem-limit=16", start, "--lua-init=" + MACHINE_CODE)
    check_equal("exit code (%s)" % result.stderr[-500:], result.returncode, 0)
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print("%d MB of the machine's memory" % most)
    check(most < 45, "it took %d MB", most)


# Functions of their own, each with a large trace of its own, and forgotten: the code stays.
MACHINE_CODE = """
if jit then require('jit.opt').start('maxtrace=60000', 'hotloop=2') end
local body = ('n = n % 77.5 + i * 1.25 '):rep(200)
local function turn(i)
    load('local n = 0 for i = 1, 20 do n = n + ' .. i .. ' ' .. body .. ' end return n')()
end
local i = 0
timer_set('turn', function()
    for _ = 1, 100 do i = i + 1 turn(i) end
    collectgarbage()
    if i == 4000 then os.exit(0) end
end, 10)
"""


# Opens files until it cannot; what it has stays open.
OPEN_FILES = """
local kept = {}
local function open_all(how)
    for i = 1, 5000 do
        local file, why = how()
        if not file then return #kept, why end
        kept[#kept + 1] = file
    end
    return #kept, 'no end'
end
print('OPEN', open_all(function() return io.open('/proc/self/stat') end))
print('TEMPORARY', (io.tmpfile()))
print('LINES', pcall(io.lines, '/proc/self/stat'))
kept = {}
collectgarbage() collectgarbage()
print('AGAIN', io.open('/proc/self/stat') ~= nil)
"""


@without_root
@cases({"usual_limit": (1024, 768), "small_limit": (200, 150), "large_limit": (8000, 768)})
def test_open_files_are_bounded(env, descriptors, most):
    """Each costs memory beside the limit, and the program needs descriptors for lists and logs."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    result = env.run("--intercept=0", "--sandbox=off", "--lua-init=" + OPEN_FILES, preexec_fn=limit)
    check_equal("exit code (%s)" % result.stderr[-500:], result.returncode, 0)
    told = re.search(r"^OPEN\t(\d+)\t(.*)$", result.stdout, re.M)
    check(told, "it said: %s", result.stdout[-500:])
    check(most - 30 <= int(told[1]) <= most, "%s files were opened", told[1])
    check(told[2].endswith("Too many open files"), "it said: %s", told[2])
    check("TEMPORARY\tnil" in result.stdout, "a temporary file is one too many")
    check(re.search(r"^LINES\tfalse\t.*Too many open files", result.stdout, re.M), "io.lines opens more")
    check("AGAIN\ttrue" in result.stdout, "none can be opened after the others are closed")
