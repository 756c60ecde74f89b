-- Self test: do the native functions and the script libraries work on this device? Nothing leaves the machine.
--
--   nfqws2 --intercept=0 --lua-init=@zapret-lib.lua --lua-init=@zapret-antidpi.lua --lua-init=@zapret-auto.lua \
--          --lua-init=@zapret-obfs.lua --lua-init=@zapret-pcap.lua --lua-init=@zapret-tests.lua
--
-- Loaded last, it runs at once, prints each failed check and "N passed, N failed", and ends the program, with exit code
-- 1 if something failed. Groups of libraries that were not loaded are named and left out.
-- Desync functions are called with a table made here; rawsend_dissect is replaced meanwhile and keeps what they send.

--------------------------------------------------------------------------------
-- Checks
--------------------------------------------------------------------------------

local passed, failed = 0, 0
local group = ""

local function readable(v)
	if type(v) ~= "string" then
		return tostring(v)
	end
	return '"' .. v:gsub("[^\32-\126]", function(c) return ("\\x%02x"):format(c:byte()) end) .. '"'
end

-- test_assert: count a check. `text` tells what was expected.
function test_assert(condition, text)
	if condition then
		passed = passed + 1
	else
		failed = failed + 1
		print("FAILED " .. group .. ": " .. (text or "assertion"))
	end
end

-- The value is the expected one; a table is compared by its fields, as far as `want` has them.
local function check(what, got, want)
	if type(want) == "table" then
		test_assert(type(got) == "table", what .. ": got " .. readable(got) .. ", expected a table")
		for k, v in pairs(want) do
			check(what .. "." .. tostring(k), type(got) == "table" and got[k] or nil, v)
		end
	else
		test_assert(got == want, what .. ": got " .. readable(got) .. ", expected " .. readable(want))
	end
end

-- The call raises an error that contains `text`.
local function check_error(what, text, f, ...)
	local ok, err = pcall(f, ...)
	test_assert(not ok and tostring(err):find(text, 1, true) ~= nil,
		what .. ": got " .. (ok and "no error" or readable(tostring(err))) .. ", expected the error " .. readable(text))
end

local function unhex(text)
	return parse_hex((text:gsub("%s", "")))
end

-- test_run: run the groups of a list {{"name", function}, ...}. An error ends its group only and counts as a failure.
function test_run(tests, ...)
	for _, test in ipairs(tests) do
		group = test[1]
		local ok, err = pcall(test[2], ...)
		if not ok then
			test_assert(false, "error: " .. tostring(err))
		end
	end
end

--------------------------------------------------------------------------------
-- Native functions
--------------------------------------------------------------------------------

function test_random()
	for _, f in ipairs({brandom, bcryptorandom, brandom_az, brandom_az09}) do
		check("no bytes", f(0), "")
		check("length", #f(1000), 1000)
		test_assert(f(32) ~= f(32), "two calls give different bytes")
		check_error("negative length", "invalid arg", f, -1)
	end
	test_assert(not brandom_az(1000):find("[^a-z]"), "brandom_az gives letters only")
	test_assert(not brandom_az09(1000):find("[^a-z0-9]"), "brandom_az09 gives letters and digits only")
end

-- Bitwise operations on byte strings.
function test_bop()
	check("bxor", bxor("\255\0", "\15\240"), "\240\240")
	check("bor", bor("\1\2", "\16\32"), "\17\34")
	check("band", band("\255\15", "\240\255"), "\240\15")
	check("empty", bxor("", ""), "")
	check_error("unequal", "string lengths must be the same", bxor, "a", "ab")
	check("parse_hex", parse_hex("12aBcD"), "\18\171\205")
	check("parse_hex odd", parse_hex("123"), nil)
	check("parse_hex bad", parse_hex("0x12"), nil)
end

-- NIST SP 800-38A
local AES_PLAIN = unhex("6bc1bee22e409f96e93d7e117393172a")
local AES_KEY = unhex("2b7e151628aed2a6abf7158809cf4f3c")
local AES_KEY256 = unhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")

function test_aes()
	for key, cipher in pairs({
		[AES_KEY] = "3ad77bb40d7a3660a89ecaf32466ef97",
		[unhex("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b")] = "bd334f1d6e45f25ff712a214571fa5cc",
		[AES_KEY256] = "f3eed1bdb5d2a03c064b5a7e3db181f8"
	}) do
		check("encrypt, key of " .. #key, aes(true, key, AES_PLAIN), unhex(cipher))
		check("decrypt, key of " .. #key, aes(false, key, unhex(cipher)), AES_PLAIN)
	end
	check_error("key length", "wrong key length", aes, true, "short", AES_PLAIN)
	check_error("block length", "wrong data length", aes, true, AES_KEY, "short")
end

-- Test case 4 of the GCM specification
function test_aes_gcm()
	local key = unhex("feffe9928665731c6d6a8f9467308308")
	local iv = unhex("cafebabefacedbaddecaf888")
	local aad = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
	local plain = unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
		.. "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
	local cipher = unhex("42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
		.. "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091")
	local tag = unhex("5bc94fbc3221a5db94fae95ae7121a47")
	local out, out_tag = aes_gcm(true, key, iv, plain, aad)
	check("encrypted", out, cipher)
	check("tag", out_tag, tag)
	out, out_tag = aes_gcm(false, key, iv, cipher, aad)
	check("decrypted", out, plain)
	check("tag of the decryption", out_tag, tag)
	check_error("no iv", "zero iv length", aes_gcm, true, key, "", plain)
end

function test_aes_ctr()
	local iv = unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
	local cipher = unhex("874d6191b620e3261bef6864990db6ce")
	check("encrypted", aes_ctr(AES_KEY, iv, AES_PLAIN), cipher)
	check("decrypted", aes_ctr(AES_KEY, iv, cipher), AES_PLAIN)
	check("the counter wraps", aes_ctr(AES_KEY, ("\255"):rep(16), ("\0"):rep(33)),
		unhex("8af2860142f786f409307c1a3f7eaaac7df76b0c1ab899b33e42f047b91b546f57"))
	check_error("iv length", "wrong iv length", aes_ctr, AES_KEY, "short", AES_PLAIN)
end

-- RFC 5869, test case 1
function test_hkdf()
	local salt, info = unhex("000102030405060708090a0b0c"), unhex("f0f1f2f3f4f5f6f7f8f9")
	check("case 1", hkdf("sha256", salt, ("\11"):rep(22), info, 42),
		unhex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"))
	check("absent is empty", hkdf("sha256", nil, "key", nil, 16), hkdf("sha256", "", "key", "", 16))
	check("too long", hkdf("sha256", "", "key", "", 8161), nil)
end

-- FIPS 180
function test_hash()
	check("sha256 of nothing", hash("sha256", ""),
		unhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
	check("sha256 of abc", hash("sha256", "abc"),
		unhex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
	check("sha224 of abc", hash("sha224", "abc"),
		unhex("23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"))
	check_error("unknown", "unsupported hash type", hash, "md4", "abc")
end

function test_crypto()
	test_run({{"random", test_random}, {"byte strings", test_bop}, {"aes", test_aes}, {"aes_gcm", test_aes_gcm},
		{"aes_ctr", test_aes_ctr}, {"hkdf", test_hkdf}, {"hash", test_hash}})
end

-- Big-endian fields.
function test_ub()
	local bytes = unhex("010203040506")
	check("u8", u8(bytes, 6), 6)
	check("u16", u16(bytes), 0x0102)
	check("u24", u24(bytes, 2), 0x020304)
	check("u32", u32(bytes, 3), 0x03040506)
	check("u48", u48(bytes), 0x010203040506)
	check("written", bu8(1) .. bu16(0x0203) .. bu24(0x040506), bytes)
	check("bu32", bu32(0xFFFFFFFE), unhex("fffffffe"))
	check("bu48", bu48(0x010203040506), bytes)
	check("negative", bu16(-1), "\255\255")
	check_error("read beyond the end", "out of range", u32, bytes, 4)
	check_error("read before the start", "out of range", u8, bytes, 0)
	check_error("too large", "out of range", bu16, 65536)
end

function test_bit()
	check("bitand", bitand(0xF0F0, 0xFF00), 0xF000)
	check("bitor", bitor(1, 2, 4, 8), 15)
	check("bitxor", bitxor(0xFF, 0x0F), 0xF0)
	check("bitlshift", bitlshift(1, 47), 0x800000000000)
	check("bitrshift", bitrshift(0x800000000000, 47), 1)
	check("bitnot", bitnot(0), 0xFFFFFFFFFFFF)
	check("bitnot8", bitnot8(1), 0xFE)
	check("bitnot16", bitnot16(0xFF), 0xFF00)
	check("bitnot24", bitnot24(0x123456), 0xEDCBA9)
	check("bitnot32", bitnot32(1), 0xFFFFFFFE)
	check("bitget", bitget(0xABCD, 4, 11), 0xBC)
	check("bitset", bitset(0xFFFF, 4, 11, 0), 0xF00F)
	check_error("shift", "out of range", bitlshift, 1, 49)
end

function test_swap()
	check("swap16", swap16(0x1234), 0x3412)
	check("swap24", swap24(0x123456), 0x563412)
	check("swap32", swap32(0x12345678), 0x78563412)
	check("swap48", swap48(0x123456789ABC), 0xBC9A78563412)
end

-- Unsigned arithmetic.
function test_ux()
	check("u8add", u8add(250, 10), 4)
	check("u16add", u16add(0xFFFF, 2), 1)
	check("u24add", u24add(0, -1), 0xFFFFFF)
	check("u32add", u32add(0xFFFFFFFF, 1), 0)
	check("u48add", u48add(-5, 3), 0xFFFFFFFFFFFE)
	check("divint", divint(-7, 2), -3)
	check("divint by zero", divint(7, 0), nil)
end

function test_bin()
	test_run({{"big-endian fields", test_ub}, {"bits", test_bit}, {"byte order", test_swap}, {"arithmetic", test_ux}})
end

-- print_current_time: the wall clock, for humans.
function print_current_time()
	local seconds, nanoseconds = clock_gettime()
	print(localtime(seconds).str .. (".%09d"):format(nanoseconds))
end

function test_time()
	local day = {sec = 20, min = 13, hour = 22, mday = 14, mon = 10, year = 2023, isdst = 0}
	check("gmtime", gmtime(1700000000), day)
	check("gmtime, text", gmtime(1700000000).str, "14.11.2023 22:13:20")
	check("timegm", timegm(day), 1700000000)
	check("timelocal undoes localtime", timelocal(localtime(1700000000)), 1700000000)
	local seconds, nanoseconds = clock_gettime()
	test_assert(nanoseconds >= 0 and nanoseconds < 1e9, "nanoseconds are below one second")
	test_assert(math.abs(clock_getfloattime() - seconds) < 5, "both clocks agree")
	check("pid and tid of the main thread", gettid(), getpid())
	test_assert(#uname().sysname > 0, "uname names the system")
	check("stat", stat("/").type, "dir")
	check("stat of nothing", stat("/nonexistent/file"), nil)
end

-- Everything `f` makes of `data` in pieces, as gzip_deflate and gunzip_inflate do.
local function stream(f, z, data, finish)
	local out = {}
	for pos = 1, #data, 1000 do
		out[#out + 1] = f(z, data:sub(pos, pos + 999))
	end
	out[#out + 1] = finish and f(z)
	return table.concat(out)
end

function test_gzip()
	local text = ("all work and no play makes jack a dull boy. "):rep(500)
	local z = gzip_init()
	local packed = stream(gzip_deflate, z, text, true)
	gzip_end(z)
	test_assert(#packed < #text / 10, "repeated text becomes much shorter")
	z = gunzip_init()
	check("unpacked", stream(gunzip_inflate, z, packed), text)
	gunzip_end(z)
	z = gunzip_init()
	check("garbage", gunzip_inflate(z, "this is not gzip"), nil)
	gunzip_end(z)
	check_error("after the end", "gzip stream is not valid", gunzip_inflate, z, packed)
end

function test_ipstr()
	for text, raw in pairs({
		["1.2.3.4"] = "01020304", ["255.255.255.255"] = "ffffffff",
		["::"] = ("00"):rep(16), ["2001:db8::1"] = "20010db8000000000000000000000001",
		["::ffff:1.2.3.4"] = "00000000000000000000ffff01020304"
	}) do
		check("pton " .. text, pton(text), unhex(raw))
		check("ntop " .. text, ntop(unhex(raw)), text)
	end
	for _, text in ipairs({"", "1.2.3", "1.2.3.256", "1.2.3.4 ", "fe80::1%eth0", ":::"}) do
		check("pton " .. text, pton(text), nil)
	end
	check("ntop of 3 bytes", ntop("abc"), nil)
end

--------------------------------------------------------------------------------
-- Packets
--------------------------------------------------------------------------------

local CLIENT, SERVER = pton("192.0.2.10"), pton("198.51.100.20")
local CLIENT6, SERVER6 = pton("2001:db8:1::10"), pton("2001:db8:2::20")
local ISN, PEER_ISN = 1000000000, 2000000000
local DATA = TH_PUSH + TH_ACK

local function l3(dis, v6)
	if v6 then
		dis.ip6 = {ip6_flow = 0x60000000, ip6_hlim = 64, ip6_src = CLIENT6, ip6_dst = SERVER6, exthdr = {}}
	else
		dis.ip = {ip_tos = 0, ip_id = 0x1000, ip_off = IP_DF, ip_ttl = 64, ip_src = CLIENT, ip_dst = SERVER}
		dis.ip.ip_p = dis.tcp and IPPROTO_TCP or dis.udp and IPPROTO_UDP or IPPROTO_ICMP
	end
	-- through bytes and back: complete and as the engine would give it
	return dissect(reconstruct_dissect(dis))
end

-- A packet of the client. Data begins at relative sequence 1.
local function tcp_packet(payload, flags, v6, options)
	local syn = bitand(flags, TH_SYN) ~= 0
	return l3({tcp = {th_sport = 50001, th_dport = 443, th_seq = syn and ISN or ISN + 1,
		th_ack = flags ~= TH_SYN and PEER_ISN + 1 or 0, th_flags = flags, th_win = 64240,
		options = options or {}}, payload = payload}, v6)
end

local function udp_packet(payload, v6)
	return l3({udp = {uh_sport = 50001, uh_dport = 12345}, payload = payload}, v6)
end

-- The packet as the server would send it.
local function from_server(dis)
	dis_reverse(dis)
	return dis
end

function test_dissect()
	for _, v6 in ipairs({false, true}) do
		local name = v6 and "IPv6 " or "IPv4 "
		local raw = reconstruct_dissect(tcp_packet("hello", DATA, v6, {{kind = 2, data = bu16(1460)}, {kind = 1}}))
		local dis = dissect(raw)
		check(name .. "payload", dis.payload, "hello")
		check(name .. "tcp", dis.tcp, {th_sport = 50001, th_dport = 443, th_seq = ISN + 1, th_flags = DATA})
		check(name .. "options", dis.tcp.options, {{kind = 2, data = "\5\180"}, {kind = 1}})
		check(name .. "again to bytes", reconstruct_dissect(dis), raw)
		check(name .. "cut off", dissect(raw:sub(1, #raw - 1)).tcp, nil)
		local udp = dissect(reconstruct_dissect(udp_packet("hello", v6)))
		check(name .. "udp", udp.udp, {uh_sport = 50001, uh_dport = 12345, uh_ulen = 13})
	end
	check("garbage", dissect("xx"), {l4proto = 0, transport_len = 0, l3_len = 0, l4_len = 0})
	check_error("nothing to build", "invalid dissect data", reconstruct_dissect, {})
end

function test_csum()
	local header = unhex("4500003c1c4640004006b1e6c0a80068c0a80001")
	local fixed = csum_ip4_fix(header)
	check("IPv4 header", fixed, unhex("4500003c1c46400040069cbcc0a80068c0a80001"))
	check("UDP", csum_udp_fix(fixed, unhex("03e8003500000000"), "abc"), unhex("03e800350000b5a9"))
	check("ICMP", csum_icmp_fix(fixed, unhex("0800000012340001"), "abc"), unhex("0800216812340001"))
	local raw = reconstruct_dissect(tcp_packet("hello", DATA))
	local tcp = raw:sub(21, 40)
	local cleared = tcp:sub(1, 16) .. "\0\0" .. tcp:sub(19)
	check("TCP", csum_tcp_fix(raw:sub(1, 20), cleared, "hello"), tcp)
	test_assert(reconstruct_dissect(dissect(raw), {badsum = true}) ~= raw, "badsum spoils the checksum")
	check_error("no header", "invalid ip header", csum_ip4_fix, "short")
end

-- Positions in the standard blobs, 1-based.
function test_resolve()
	local http = {method = 1, host = 23, sld = 27, midsld = 29, endsld = 31, endhost = 35}
	for marker, pos in pairs(http) do
		check("http " .. marker, resolve_pos(fake_default_http, "http_req", marker), pos)
	end
	check("zero-based", resolve_pos(fake_default_http, "http_req", "host", true), 22)
	check("list", resolve_multi_pos(fake_default_tls, "tls_client_hello", "1,midsld,sniext+1,endhost-2,-10"),
		{2, 122, 134, 141, 671})
	check("range", resolve_range("abcdefghij", "unknown", "5,host"), {6, 10})
	check("unresolvable", resolve_pos("abcdefghij", "unknown", "host"), nil)
	check_error("no marker", "bad marker", resolve_pos, "abc", "unknown", "nonsense")
	check("tls_mod sni", #tls_mod(fake_default_tls, "sni=a.b"), #fake_default_tls - 14)
	check("tls_mod on garbage", tls_mod("garbage", "rnd"), nil)
end

-- test_get_source_ip: {target=<address text>} : also ask for the source address towards it.
function test_get_source_ip(options)
	check("loopback", get_source_ip(pton("127.0.0.1")), pton("127.0.0.1"))
	check_error("no address", "invalid IP length", get_source_ip, "abc")
	if options and options.target then
		local source = get_source_ip(pton(options.target))
		test_assert(source, "there is a route to " .. options.target)
	end
end

-- test_ifaddrs: {ifname=<interface>} : also demand that it exists.
function test_ifaddrs(options)
	local interfaces = get_ifaddrs()
	check("type", type(interfaces), "table")
	for name, interface in pairs(interfaces) do
		test_assert(#interface.addr > 0, name .. " has an address")
		test_assert(#interface.addr[1].addr == 4 or #interface.addr[1].addr == 16, name .. ": length of the address")
	end
	if options and options.ifname then
		test_assert(interfaces[options.ifname], options.ifname .. " exists")
	end
end

-- timer_info_print, timer_info_print_by_name: a timer, for humans.
function timer_info_print(info)
	print(("timer %s: period %d ms, %s, fired %d times"):format(info.name, info.period,
		info.oneshot and "once" or "repeated", info.fires))
end

function timer_info_print_by_name(name)
	local info = timer_info(name)
	if info then
		timer_info_print(info)
	else
		print("timer " .. name .. " does not exist")
	end
end

-- timer1: counts its calls in the table it is given.
function timer1(name, data)
	data.calls = data.calls + 1
end

-- timer2: looks at what timer1 did, ends it, and calls data.finish.
function timer2(name, data)
	group = "timers"
	test_assert(data.calls > 0, "timer1 was called")
	check("fires", timer_info("timer1").fires, data.calls)
	check("timer_del", timer_del("timer1"), true)
	data.finish()
end

-- test_timer: {verbose=true} : also print the timers, finish=<function> : called by the last timer.
-- Timers fire only after all --lua-init, so the result comes later.
function test_timer(options)
	options = options or {}
	local data = {calls = 0, finish = options.finish or function() end}
	check_error("too short", "must be >=10 ms", timer_set, "timer1", "timer1", 9)
	check_error("no function", "does not exist", timer_set, "timer1", "no_such_function", 20)
	check("timer_del of none", timer_del("timer1"), false)
	timer_set("timer1", "timer1", 10, false, data)
	timer_set("timer2", timer2, 100, true, data)
	check("timer1", timer_info("timer1"), {name = "timer1", period = 10, fires = 0})
	check("timer2", timer_info("timer2"), {period = 100, oneshot = true})
	test_assert(not timer_info("timer1").oneshot, "timer1 is periodic")
	local names = timer_enum()
	check("timer_enum", names[#names], "timer2")
	if options.verbose then
		print_current_time()
		timer_info_print_by_name("timer1")
		timer_info_print_by_name("timer2")
	end
end

-- test_rawsend: {target=<address text>} : also send a UDP datagram to port 9 there; needs the right to.
function test_rawsend(options)
	check_error("no packet", "bad ip4/ip6 header", rawsend, "garbage")
	check_error("negative repeats", "negative repeats", rawsend, reconstruct_dissect(udp_packet("x")), {repeats = -1})
	if options and options.target then
		local dis, target = udp_packet("test", #pton(options.target) == 16), pton(options.target)
		local l3_table, key = dis.ip or dis.ip6, dis.ip and "ip" or "ip6"
		l3_table[key .. "_src"], l3_table[key .. "_dst"] = get_source_ip(target), target
		dis.udp.uh_dport = 9
		check("sent", rawsend_dissect(dis), true)
	end
end

function test_conntrack()
	local _, goes_out = conntrack_feed(tcp_packet("", TH_SYN))
	check("SYN goes out", goes_out, true)
	local track, outgoing = conntrack_feed(from_server(tcp_packet("", TH_SYN + TH_ACK)))
	check("SYN,ACK comes in", outgoing, false)
	track.lua_state.mine = 5
	check("the state stays", conntrack_feed(tcp_packet("data", DATA)).lua_state.mine, 5)
	check("no packet", conntrack_feed("garbage"), nil)
end

--------------------------------------------------------------------------------
-- zapret-lib.lua
--------------------------------------------------------------------------------

local HTTP = "GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11)\r\n"
	.. "Accept: */*\r\nConnection: close\r\n\r\n"

function test_lib_tools()
	check("pattern", pattern("abc", 2, 5), "bcabc")
	check("in_list", in_list("tls,http", "http"), true)
	check("in_list, part of a name", in_list("tls,https", "http") or false, false)
	check("seq_gt over the wrap", seq_gt(5, 0xFFFFFFF0), true)
	check("seq_within over the wrap", seq_within(2, 0xFFFFFFF0, 5), true)
	local copy = deepcopy({a = {b = 1}})
	check("deepcopy", copy.a.b, 1)
	check("string2hex", (string2hex("\1\171"):gsub("[^%x]", ""):lower()), "01ab")
	check("verdicts", verdict_aggregate(VERDICT_DROP, VERDICT_MODIFY), VERDICT_DROP)
	check("no verdict", verdict_aggregate(nil, nil), VERDICT_PASS)
	check("genhost", #genhost(15), 15)
	check("genhost by template", genhost(15, "verylonghostname.example.net"), "ame.example.net")
	check("ttl distance", autottl(52, parse_autottl("-1,3-20")), 11)
	check("flags", parse_tcp_flags("syn,ack"), TH_SYN + TH_ACK)
	check("results of find_tcp_option", select("#", find_tcp_option({}, 5)), 1)
	check("results of find_ip6_exthdr", select("#", find_ip6_exthdr({}, 5)), 1)
	check("results of autottl", select("#", autottl(64, parse_autottl("5,3-20"))), 1)
	local desync = {arg = {code = "return VERDICT_DROP"}, func_instance = "selftest"}
	check("verdict of luaexec", luaexec(nil, desync), VERDICT_DROP)
	desync.arg.code = "seen = desync"
	check("results of luaexec", select("#", luaexec(nil, desync)), 0)
	test_assert(seen == desync, "luaexec shows the current table")
	seen, selftest_code = nil, nil
end

function test_lib_url()
	check("url", dissect_url("https://user@example.com:8080/a/b"),
		{proto = "https", domain = "example.com", port = "8080", uri = "/a/b"})
	check("relative", dissect_url("/a/b").domain, nil)
	for _, tail in ipairs({"?x=1", "#frag", "/?x#y", ":8080?q=a@b"}) do
		check("host before " .. tail, dissect_url("http://example.com" .. tail).domain, "example.com")
	end
	check("uri of a query", dissect_url("http://example.com?x=1").uri, "?x=1")
	check("nld", dissect_nld("www.example.com", 2), "example.com")
	check("nld too deep", dissect_nld("example.com", 3), nil)
end

function test_lib_http()
	local request = http_dissect_req(HTTP)
	check("method", request.method, "GET")
	check("uri", request.uri, "/index.html")
	check("headers", #request.headers, 4)
	check("second header", request.headers[2].header_low, "user-agent")
	check("rebuilt", http_reconstruct_req(request), HTTP)
	local reply = http_dissect_reply("HTTP/1.1 302 Found\r\nLocation: http://warning.example/\r\n\r\n")
	check("code", reply.code, 302)
	check("location", reply.headers[1].value, "http://warning.example/")
	check("no request", http_dissect_req("garbage"), nil)
end

function test_lib_tls()
	local hello = tls_dissect(fake_default_tls)
	check("rebuilt", tls_reconstruct(hello), fake_default_tls)
	test_assert(is_tls_hello(fake_default_tls, 6), "the default TLS blob is a hello")
	check("cut off", tls_dissect(fake_default_tls:sub(1, 100)), nil)
	check("garbage", tls_dissect("garbage"), nil)
	check("results for garbage", select("#", tls_dissect("garbage")), 0)
	check("results for a hello that cannot be changed", select("#", tls_client_hello_mod("garbage", {})), 0)
	for _, no_handshake in ipairs({false, 1, "text"}) do
		check("handshake is no table", tls_dissect_handshake(no_handshake), false)
		check("rebuilt handshake is no table", tls_reconstruct_handshake(no_handshake), false)
	end
	local large = "\255\127\255\255\255\255\255\255"
	local exact = "\192\16\0\0\0\0\0\0"
	local ext = {type = TLS_EXT_QUIC_TRANSPORT_PARAMETERS_V1, data = large .. "\1a\4\2bc" .. exact .. "\0"}
	tls_dissect_ext(ext)
	check("type above 2^52", ext.dis.list[1].type, large)
	check("small type", ext.dis.list[2].type, 4)
	check("2^52", ext.dis.list[3].type, 2 ^ 52)
	ext.dis.list[2].data = "cb"
	test_assert(tls_reconstruct_ext(ext), "QUIC parameters can be rebuilt")
	check("rebuilt QUIC parameters", ext.data, large .. "\1a\4\2cb" .. exact .. "\0")
	local shorter = tls_client_hello_mod(fake_default_tls, {sni_del_ext = ""})
	test_assert(#shorter < #fake_default_tls and tls_dissect(shorter), "a hello without SNI can be made")
	check("no name left", resolve_pos(shorter, "tls_client_hello", "host"), nil)
end

-- Headers and fragments.
function test_lib_packets()
	local dis = tcp_packet("0123456789", DATA, true)
	insert_ip6_exthdr(dis.ip6, nil, IPPROTO_DSTOPTS, ("\0"):rep(6))
	check("IPv6 with a header more", #reconstruct_dissect(dis), 40 + 8 + 20 + 10)
	check("length of headers", l3l4_len(dis), 68)
	local raw = reconstruct_dissect(udp_packet(("x"):rep(100)))
	local parts = ipfrag2(udp_packet(("x"):rep(100)), {ipfrag_pos_udp = 8})
	check("fragments", #parts, 2)
	local first, second = reconstruct_dissect(parts[1]), reconstruct_dissect(parts[2])
	check("they are the packet", first:sub(21) .. second:sub(21), raw:sub(21))
	check("second offset", bitand(dissect(second).ip.ip_off, 0x1FFF), 1)
end

--------------------------------------------------------------------------------
-- Calling desync functions
--------------------------------------------------------------------------------

-- The table a desync function gets. `more` is put over it.
local function make_desync(func, arg, dis, more)
	local desync = {
		func = func, func_n = 1, func_instance = func .. "_1_1", arg = arg, dis = dis, outgoing = true,
		l7payload = "unknown", l7proto = "unknown", tcp_mss = 1460,
		target = {ip = dis.ip and dis.ip.ip_dst, ip6 = dis.ip6 and dis.ip6.ip6_dst}
	}
	for k, v in pairs(more or {}) do
		desync[k] = v
	end
	if dis.tcp and #dis.payload > 0 then
		desync.reasm_data, desync.reasm_offset = dis.payload, 0
	end
	return desync
end

-- Calls a desync function below an orchestrator. Returns what it sent as a list of dissects, and the verdict.
local function call(func, desync)
	local sent, genuine = {}, rawsend_dissect
	rawsend_dissect = function(dis)
		sent[#sent + 1] = deepcopy(dis)
		return true
	end
	local ok, result = pcall(_G[func], nil, desync)
	rawsend_dissect = genuine
	if not ok then
		error(result, 0)
	end
	return sent, result or VERDICT_PASS
end

-- Packets in one line: relative sequence + length, a star if the TTL is not that of the connection.
local function ladder(sent)
	local words = {}
	for i, dis in ipairs(sent) do
		local ttl = dis.ip and dis.ip.ip_ttl or dis.ip6.ip6_hlim
		words[i] = (dis.tcp and (dis.tcp.th_seq - ISN - 1) .. "+" or "") .. #dis.payload .. (ttl ~= 64 and "*" or "")
	end
	return table.concat(words, " ")
end

--------------------------------------------------------------------------------
-- zapret-antidpi.lua
--------------------------------------------------------------------------------

-- The default TLS blob has 680 bytes; its host begins at 125 and ends before 142.
-- function, arguments, what it sends, verdict
local ON_TLS = {
	{"pass", {}, "", VERDICT_PASS},
	{"drop", {}, "", VERDICT_DROP},
	{"drop", {payload = "http_req"}, "", VERDICT_PASS},
	{"drop", {dir = "in"}, "", VERDICT_PASS},
	{"send", {ip_ttl = "3"}, "0+680*", VERDICT_PASS},
	{"pktmod", {ip_ttl = "3"}, "", VERDICT_MODIFY},
	{"rst", {}, "0+0", VERDICT_PASS},
	{"fake", {blob = "0x010203", ip_ttl = "3"}, "0+3*", VERDICT_PASS},
	{"fake", {blob = "missing", optional = ""}, "", VERDICT_PASS},
	{"multisplit", {}, "0+2 2+678", VERDICT_DROP},
	{"multisplit", {nodrop = ""}, "0+2 2+678", VERDICT_PASS},
	{"multisplit", {pos = "1,host,midsld+1"}, "0+1 1+124 125+9 134+546", VERDICT_DROP},
	{"multisplit", {pos = "10", seqovl = "5"}, "-5+15 10+670", VERDICT_DROP},
	{"multisplit", {pos = "host", dir = "in"}, "", VERDICT_PASS},
	{"multidisorder", {}, "2+678 0+2", VERDICT_DROP},
	{"multidisorder", {pos = "host,endhost", seqovl = "host-3"}, "142+538 3+139 0+125", VERDICT_DROP},
	{"multidisorder_legacy", {pos = "1,host"}, "125+555 1+124 0+1", VERDICT_DROP},
	{"fakedsplit", {ip_ttl = "3"}, "0+2* 0+2 0+2* 2+678* 2+678 2+678*", VERDICT_DROP},
	{"fakedsplit", {ip_ttl = "3", nofake1 = "", nofake4 = ""}, "0+2 0+2* 2+678* 2+678", VERDICT_DROP},
	{"fakeddisorder", {ip_ttl = "3"}, "2+678* 2+678 2+678* 0+2* 0+2 0+2*", VERDICT_DROP},
	{"hostfakesplit", {ip_ttl = "3"}, "0+125 125+17* 125+17 125+17* 142+538", VERDICT_DROP},
	{"tcpseg", {pos = "0,-1", seqovl = "1"}, "-1+681", VERDICT_PASS},
	{"oob", {}, "", VERDICT_PASS},
	{"wssize", {wsize = "64"}, "", VERDICT_MODIFY},
}

local ON_SYN = {
	{"syndata", {}, "-1+16", VERDICT_DROP},
	{"synack", {}, "-1+0", VERDICT_PASS},
	{"wssize", {wsize = "64"}, "", VERDICT_MODIFY},
	{"multisplit", {}, "", VERDICT_PASS},
}

-- The rewritten request; nil if it must stay as it is.
local ON_HTTP = {
	{"http_hostcase", {spell = "hoSt"}, HTTP:gsub("Host", "hoSt")},
	{"http_domcase", {}, (HTTP:gsub("www.example.com", "WwW.ExAmPlE.CoM"))},
	{"http_methodeol", {}, "\r\n" .. HTTP:gsub("%(X11%)", "(X1")},
	{"http_unixeol", {}, (HTTP:gsub("%(X11%)", "%0      "):gsub("\r", ""))},
}

function test_antidpi_tcp()
	for _, v6 in ipairs({false, true}) do
		local version = v6 and " over IPv6" or " over IPv4"
		for _, case in ipairs(ON_TLS) do
			local func, arg, packets, verdict = case[1], deepcopy(case[2]), case[3], case[4]
			arg.ip6_ttl = arg.ip_ttl
			local sent, got = call(func, make_desync(func, arg, tcp_packet(fake_default_tls, DATA, v6),
				{l7payload = "tls_client_hello", l7proto = "tls"}))
			check(func .. version .. " sends", ladder(sent), packets)
			check(func .. version .. " verdict", got, verdict)
		end
		for _, case in ipairs(ON_SYN) do
			local sent, got = call(case[1], make_desync(case[1], deepcopy(case[2]), tcp_packet("", TH_SYN, v6),
				{l7payload = "empty"}))
			check(case[1] .. version .. " at SYN sends", ladder(sent), case[3])
			check(case[1] .. version .. " at SYN verdict", got, case[4])
		end
	end
end

function test_antidpi_parts()
	local hello = {l7payload = "tls_client_hello"}
	local sent = call("multisplit", make_desync("multisplit", {pos = "1,host,endhost"},
		tcp_packet(fake_default_tls, DATA), hello))
	local joined = {}
	for i, dis in ipairs(sent) do
		joined[i] = dis.payload
		check("ip id of part " .. i, dis.ip.ip_id, 0x1000 + i - 1)
	end
	check("parts joined", table.concat(joined), fake_default_tls)
	sent = call("multisplit", make_desync("multisplit", {pos = "600"}, tcp_packet(fake_default_tls, DATA),
		{l7payload = "tls_client_hello", tcp_mss = 256}))
	check("segments of the MSS", ladder(sent), "0+256 256+256 512+88 600+80")
	sent = call("synack_split", make_desync("synack_split", {}, tcp_packet("", TH_SYN + TH_ACK)))
	check("synack_split", sent[1].tcp.th_flags .. " " .. sent[2].tcp.th_flags, TH_SYN .. " " .. TH_ACK)
	sent = call("rst", make_desync("rst", {rstack = ""}, tcp_packet(HTTP, DATA), {l7payload = "http_req"}))
	check("rst:rstack", sent[1].tcp.th_flags, TH_RST + TH_ACK)
	local desync = make_desync("wsize", {wsize = "128"}, tcp_packet("", TH_SYN + TH_ACK))
	local _, verdict = call("wsize", desync)
	check("wsize", desync.dis.tcp.th_win, 128)
	check("wsize verdict", verdict, VERDICT_MODIFY)
	desync = make_desync("tls_client_hello_clone", {blob = "mine", sni_del_ext = ""},
		tcp_packet(fake_default_tls, DATA), hello)
	call("tls_client_hello_clone", desync)
	test_assert(desync.mine and #desync.mine < #fake_default_tls, "tls_client_hello_clone makes a hello without SNI")
	check_error("fake without blob", "'blob' argument is required", call, "fake",
		make_desync("fake", {}, tcp_packet(HTTP, DATA), {l7payload = "http_req"}))
end

function test_antidpi_http()
	for _, case in ipairs(ON_HTTP) do
		local func = case[1]
		local desync = make_desync(func, case[2], tcp_packet(HTTP, DATA), {l7payload = "http_req"})
		local _, verdict = call(func, desync)
		check(func .. " verdict", verdict, VERDICT_MODIFY)
		check(func, desync.dis.payload, case[3])
		desync = make_desync(func, case[2], tcp_packet("data", DATA))
		_, verdict = call(func, desync)
		check(func .. " with other data", verdict, VERDICT_PASS)
	end
end

-- The whole handshake, since every packet of it is moved.
function test_antidpi_oob()
	local function step(dis, outgoing)
		local track = conntrack_feed(dis)
		local desync = make_desync("oob", {urp = "e"}, dis, {track = track, outgoing = outgoing, l7payload = "empty"})
		local sent, verdict = call("oob", desync)
		return desync.dis.tcp, verdict, sent
	end
	local function packet(payload, flags)
		local dis = tcp_packet(payload, flags)
		dis.tcp.th_sport = 50002
		return dis
	end
	check("SYN", step(packet("", TH_SYN), true).th_seq, ISN - 1)
	check("SYN,ACK", step(from_server(packet("", TH_SYN + TH_ACK)), false).th_ack, ISN + 1)
	local _, verdict, sent = step(packet("data", DATA), true)
	check("data verdict", verdict, VERDICT_DROP)
	check("data", sent[1].payload, "data\0")
	check("URG", sent[1].tcp, {th_flags = DATA + TH_URG, th_urp = 5, th_seq = ISN})
end

function test_antidpi_udp()
	local function modified(func, arg, payload, l7payload)
		local desync = make_desync(func, arg, udp_packet(payload), {l7payload = l7payload})
		local _, verdict = call(func, desync)
		return verdict == VERDICT_MODIFY and desync.dis.payload or nil
	end
	check("udplen", modified("udplen", {increment = "3", pattern = "0xAABB"}, "eight...", "stun"), "eight...\170\187\170")
	check("udplen, shorter", modified("udplen", {increment = "-3"}, "eight...", "stun"), "eight")
	check("udplen, other payload", modified("udplen", {}, "eight...", "unknown"), nil)
	check("dht_dn", modified("dht_dn", {}, "d1:ad2:id", "dht"), "d3:0001:x1:ad2:id")
	local sent = call("fake", make_desync("fake", {blob = "0x01", repeats = "2"}, udp_packet("data", true),
		{l7payload = "stun"}))
	check("fake", ladder(sent), "1")
end

--------------------------------------------------------------------------------
-- zapret-auto.lua
--------------------------------------------------------------------------------

local ALWAYS = {from = {mode = "a", pos = 0}, to = {mode = "a", pos = 0}, upper_cutoff = false}

-- The planned instances: names of functions with arguments. They are called test_step and keep their `n`.
local function make_plan(...)
	local plan = {}
	for i, arg in ipairs({...}) do
		local func = arg.func or "test_step"
		plan[i] = {func = func, func_n = i + 1, func_instance = func .. "_1_" .. (i + 1), arg = arg, range = ALWAYS,
			payload = {all = true}, payload_filter = "all"}
	end
	return plan
end

-- Runs an orchestrator over a plan; the `n` of the instances that were called.
local function orchestrated(func, arg, plan, more)
	local called, genuine = {}, test_step
	test_step = function(ctx, desync)
		called[#called + 1] = desync.arg.n
	end
	local desync = make_desync(func, arg, tcp_packet("data", DATA), more)
	desync.plan = plan
	local ok, err = pcall(_G[func], nil, desync)
	test_step = genuine
	if not ok then
		error(err, 0)
	end
	return table.concat(called, " ")
end

function test_auto_conditions()
	local function plan()
		return make_plan({n = "1"}, {n = "2"}, {n = "3"})
	end
	check("condition true", orchestrated("condition", {iff = "cond_true"}, plan()), "1 2 3")
	check("condition false", orchestrated("condition", {iff = "cond_false"}, plan()), "")
	check("condition neg", orchestrated("condition", {iff = "cond_false", neg = ""}, plan()), "1 2 3")
	check("condition instances", orchestrated("condition", {iff = "cond_false", instances = "2"}, plan()), "3")
	check("cond_payload_str", orchestrated("condition", {iff = "cond_payload_str", pattern = "at"}, plan()), "1 2 3")
	check("cond_lua", orchestrated("condition", {iff = "cond_lua", cond_code = "return #desync.dis.payload == 4"},
		plan()), "1 2 3")
	check("cond_tcp_has_ts", orchestrated("condition", {iff = "cond_tcp_has_ts"}, plan()), "")
	check_error("no condition", "missing 'iff' function", orchestrated, "condition", {}, plan())
	check("per_instance_condition", orchestrated("per_instance_condition", {}, make_plan(
		{n = "1", cond = "cond_false"}, {n = "2", cond = "cond_true"}, {n = "3"},
		{n = "4", cond = "cond_false", cond_neg = ""})), "2 4")
	check("stopif alone", orchestrated("stopif", {iff = "cond_false"}, plan()), "")
	check("repeater", orchestrated("repeater", {repeats = "2", instances = "2"}, plan()), "1 2 1 2 3")
	check("repeater clear", orchestrated("repeater", {repeats = "2", clear = ""}, plan()), "1 1")
	check("nested", orchestrated("repeater", {repeats = "2", instances = "3"}, make_plan(
		{func = "repeater", repeats = "3", stop = ""}, {n = "1"}, {n = "2"}, {n = "3"})), "1 1 1 2 1 1 1 2 3")
	check("nested stopif", orchestrated("condition", {iff = "cond_true"}, make_plan(
		{n = "1"}, {func = "stopif", iff = "cond_true"}, {n = "2"})), "1")
end

-- Two failures, each in its own connection, bring the second strategy.
function test_auto_circular()
	local function connection(port, failing)
		local syn = tcp_packet("", TH_SYN)
		syn.tcp.th_sport = port
		conntrack_feed(syn)
		local dis = tcp_packet("data", DATA)
		dis.tcp.th_sport = port
		local track = conntrack_feed(dis)
		track.hostname = "www.example.com"
		return orchestrated("circular", {fails = "2", key = "selftest", failure_detector = "cond_" .. tostring(failing)},
			make_plan({n = "1", strategy = "1"}, {n = "2", strategy = "2"}, {n = "-"}), {track = track})
	end
	local got = {}
	for i, failing in ipairs({false, true, false, true, false}) do
		got[i] = connection(51000 + i, failing)
	end
	check("strategies used", table.concat(got, " "), "1 1 1 2 2")
	check("record", autostate.selftest["www.example.com"].nstrategy, 2)
	check_error("gap", "strateg", orchestrated, "circular", {key = "selftest2"}, make_plan({strategy = "2"}),
		{track = conntrack_feed(tcp_packet("", TH_SYN))})
	check("redirect to another domain", is_dpi_redirect("www.example.com", "http://warning.example/"), true)
	check("redirect to the same domain", is_dpi_redirect("www.example.com", "https://example.com/"), false)
end

--------------------------------------------------------------------------------
-- zapret-obfs.lua: what one end does the other undoes
--------------------------------------------------------------------------------

-- The packet on the wire, and what the other end makes of it, both as bytes.
local function through(func, arg, peer_arg, dis, more, peer_more)
	local function pass_by(arguments, packet, fields)
		local desync = make_desync(func, arguments, packet, fields)
		local _, verdict = call(func, desync)
		local preserve = bitand(verdict, VERDICT_PRESERVE_NEXT) ~= 0
		return reconstruct_dissect(desync.dis, {ip6_preserve_next = preserve or nil}), verdict
	end
	local wire, verdict = pass_by(arg, dis, more)
	check(func .. " verdict", bitand(verdict, VERDICT_MASK), VERDICT_MODIFY)
	return dissect(wire), (pass_by(peer_arg, dissect(wire), peer_more))
end

function test_obfs_ippxor()
	for _, v6 in ipairs({false, true}) do
		local arg = {ippxor = "192", dataxor = "0xABCDEF"}
		local genuine = reconstruct_dissect(tcp_packet("secret data", DATA, v6))
		local wire, restored = through("ippxor", arg, deepcopy(arg), tcp_packet("secret data", DATA, v6))
		check("protocol on the wire", wire.l4proto, bitxor(IPPROTO_TCP, 192))
		test_assert(not wire.payload:find("secret", 1, true), "the payload is not readable")
		check("restored", restored, genuine)
	end
end

function test_obfs_udp2icmp()
	for _, v6 in ipairs({false, true}) do
		local genuine = reconstruct_dissect(udp_packet("secret data", v6))
		local wire, restored = through("udp2icmp", {server = "0", dataxor = "0x5A"}, {server = "1", dataxor = "0x5A"},
			udp_packet("secret data", v6))
		check("type on the wire", wire.icmp.icmp_type, v6 and 128 or 8)
		test_assert(not wire.payload:find("secret", 1, true), "the payload is not readable")
		check("restored", restored, genuine)
	end
	local codes, types = {ccode = "199", scode = "199"}, {ctype = "13", stype = "14"}
	check("codes alone", through("udp2icmp", codes, codes, udp_packet("x")).icmp.icmp_code, 199)
	check("types alone", through("udp2icmp", types, types, udp_packet("x")).icmp.icmp_type, 13)
	for _, alone in ipairs({"ctype", "stype", "ccode", "scode"}) do
		local pair = alone:find("type") and "ctype and stype" or "ccode and scode"
		check_error(alone .. " alone", "udp2icmp: " .. pair .. " must be both set", through, "udp2icmp",
			{[alone] = "1"}, {}, udp_packet("x"))
	end
end

function test_obfs_wgobfs()
	local handshake = "\1\0\0\0" .. ("w"):rep(144)
	local arg = {secret = "mycoolpassword", padmin = "8", padmax = "8"}
	local genuine = reconstruct_dissect(udp_packet(handshake))
	local wire, restored = through("wgobfs", arg, deepcopy(arg), udp_packet(handshake),
		{l7payload = "wireguard_initiation"})
	check("key", _G.wgobfs_1_1_key, unhex("ef3dd2cae9367ddb761568417c2482a5"))
	check("length on the wire", #wire.payload, 148 + 30 + 8)
	check("restored", restored, genuine)
end

function test_obfs_synhide()
	for i, magic in ipairs({"x2", "urp", "opt"}) do
		local function syn()
			local dis = tcp_packet("", TH_SYN)
			dis.tcp.th_sport = 52000 + i
			return dis
		end
		local arg = {magic = magic, opt = "0102", synack = ""}
		local wire, restored = through("synhide", arg, deepcopy(arg), syn(), nil, {outgoing = false})
		check(magic .. ": flags on the wire", wire.tcp.th_flags, TH_ACK)
		check(magic .. ": restored", restored, reconstruct_dissect(syn()))
	end
end

--------------------------------------------------------------------------------
-- zapret-pcap.lua
--------------------------------------------------------------------------------

function test_pcap()
	local written = {}
	local file = {
		seek = function() return #table.concat(written) end,
		write = function(self, ...)
			for _, text in ipairs({...}) do
				written[#written + 1] = text
			end
		end
	}
	local raw = reconstruct_dissect(udp_packet("hello"))
	pcap_write(file, raw)
	pcap_write(file, raw)
	local capture = table.concat(written)
	check("header", capture:sub(1, 24), unhex("a1b23c4d 0002 0004 00000000 00000000 0000ffff 00000065"))
	check("length", #capture, 24 + 2 * (16 + #raw))
	check("lengths of the packet", capture:sub(33, 40), bu32(#raw) .. bu32(#raw))
	check("packet", capture:sub(41, 40 + #raw), raw)
	check_error("no file", "pcap requires 'file' parameter", pcap, nil, make_desync("pcap", {}, udp_packet("hello")))
end

--------------------------------------------------------------------------------
-- All of it
--------------------------------------------------------------------------------

local function report()
	print(passed .. " passed, " .. failed .. " failed")
	if failed > 0 then
		os.exit(1)
	end
end

-- test_all: run every group and report when the timers are through. Options: those of the groups that take a table.
function test_all(options)
	options = options or {}
	test_crypto()
	test_bin()
	test_run({{"time and system", test_time}, {"gzip", test_gzip}, {"addresses", test_ipstr}, {"resolve", test_resolve},
		{"dissect", test_dissect}, {"checksums", test_csum}, {"rawsend", test_rawsend},
		{"source address", test_get_source_ip}, {"interfaces", test_ifaddrs}}, options)
	local libraries = {
		{"zapret-lib.lua", rawsend_dissect_ipfrag, {{"conntrack", test_conntrack}, {"tools", test_lib_tools},
			{"URL", test_lib_url}, {"HTTP", test_lib_http}, {"TLS", test_lib_tls}, {"packets", test_lib_packets}}},
		{"zapret-antidpi.lua", multisplit, {{"TCP", test_antidpi_tcp}, {"parts", test_antidpi_parts},
			{"HTTP rewriting", test_antidpi_http}, {"oob", test_antidpi_oob}, {"UDP", test_antidpi_udp}}},
		{"zapret-auto.lua", circular, {{"conditions", test_auto_conditions}, {"circular", test_auto_circular}}},
		{"zapret-obfs.lua", ippxor, {{"ippxor", test_obfs_ippxor}, {"udp2icmp", test_obfs_udp2icmp},
			{"wgobfs", test_obfs_wgobfs}, {"synhide", test_obfs_synhide}}},
		{"zapret-pcap.lua", pcap, {{"pcap", test_pcap}}}
	}
	for _, library in ipairs(libraries) do
		if library[2] then
			test_run(library[3], options)
		else
			print("not loaded, not tested: " .. library[1])
		end
	end
	options.finish = report
	test_run({{"timers", test_timer}}, options)
	if not timer_info("timer2") then
		report()
	end
end

test_all()
