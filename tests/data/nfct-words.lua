-- Every word that the module nfct knows: attributes with their widths, families, protocols, options of objects.
-- Without a kernel. Prints "N passed, N failed" as its last line.
require "nfct"
local checks = require "checks"
local equal = checks.equal

local function words_of(text, f)
	for word in text:gmatch("%S+") do f(word) end
end

-- --- attributes: bits, names; what the library does not let set stays 0

local NUMBERS = {
	[8] = "icmp-type icmp-code orig-l3proto l3proto repl-l3proto orig-l4proto l4proto repl-l4proto tcp-state tcp-flags-orig "
		.. "tcp-flags-repl tcp-mask-orig tcp-mask-repl master-l3proto master-l4proto sctp-state dccp-state dccp-role "
		.. "tcp-wscale-orig tcp-wscale-repl",
	[16] = "orig-port-src port-src orig-port-dst port-dst repl-port-src repl-port-dst icmp-id snat-port dnat-port "
		.. "master-port-src master-port-dst zone orig-zone repl-zone",
	[32] = "orig-ipv4-src ipv4-src orig-ipv4-dst ipv4-dst repl-ipv4-src repl-ipv4-dst snat-ipv4 dnat-ipv4 timeout mark id "
		.. "status master-ipv4-src master-ipv4-dst secmark orig-nat-seq-correction-pos orig-nat-seq-offset-before "
		.. "orig-nat-seq-offset-after repl-nat-seq-correction-pos repl-nat-seq-offset-before repl-nat-seq-offset-after "
		.. "sctp-vtag-orig sctp-vtag-repl",
	[64] = "dccp-handshake-seq",
}
local FIXED = "orig-counter-packets repl-counter-packets orig-counter-bytes repl-counter-bytes use timestamp-start timestamp-stop"
local ADDRESSES = "orig-ipv6-src ipv6-src orig-ipv6-dst ipv6-dst repl-ipv6-src repl-ipv6-dst master-ipv6-src master-ipv6-dst "
	.. "snat-ipv6 dnat-ipv6"

for bits, names in pairs(NUMBERS) do
	words_of(names, function(name)
		local ct = nfct.new()
		equal(name .. " at first", nfct.has_attr(ct, name), false)
		local most = bits == 64 and 2 ^ 53 - 1 or 2 ^ bits - 1
		equal(name .. " can be chained", nfct.set_attr_u64(ct, name, most), ct)
		equal(name .. " keeps its width", nfct.get_attr_u64(ct, name), most)
		equal(name .. " is there", nfct.has_attr(ct, name), true)
		if bits < 64 then
			nfct.set_attr_u64(ct, name, 2 ^ bits + 5)
			equal(name .. " is cut", nfct.get_attr_u64(ct, name), 5)
		end
		nfct.unset_attr(ct, name)
		equal(name .. " is gone", nfct.get_attr_u64(ct, name), 0)
	end)
end
words_of(FIXED, function(name)
	local ct = nfct.new()
	equal(name .. " can be chained", nfct.set_attr_u32(ct, name, 7), ct)
	equal(name .. " cannot be set", nfct.get_attr_u64(ct, name), 0)
end)
words_of(ADDRESSES, function(name)
	local ct = nfct.new()
	equal(name, nfct.set_attr_ipv6(ct, name, "2001:db8::5"), ct)
	equal(name .. " as text", nfct.get_attr_ipv6(ct, name), "2001:db8::5")
	equal(name .. " is no number", select(2, pcall(nfct.get_attr_u8, ct, name)),
		"attribute '" .. name .. "' is not a number")
end)
words_of("helper-name secctx", function(name)
	equal(name .. " is no number", select(2, pcall(nfct.get_attr_u32, nfct.new(), name)),
		"attribute '" .. name .. "' is not a number")
end)

-- A name and its other one are the same attribute.
words_of("ipv4-src ipv4-dst port-src port-dst l3proto l4proto", function(name)
	local ct = nfct.new()
	nfct.set_attr_u8(ct, name, 9)
	equal("orig-" .. name, nfct.get_attr_u8(ct, "orig-" .. name), 9)
end)

-- All widths, there and back.
local ct = nfct.new()
for kind, name in pairs({ u8 = "tcp-state", u16 = "zone", u32 = "mark", u64 = "dccp-handshake-seq", n16 = "port-dst",
	n32 = "ipv4-dst", port = "port-src" }) do
	equal(kind .. " can be chained", nfct["set_attr_" .. kind](ct, name, 0x41), ct)
	equal(kind, nfct["get_attr_" .. kind](ct, name), 0x41)
end

-- --- families and protocols

local FAMILIES = {
	unspec = 0, ["local"] = 1, unix = 1, file = 1, inet = 2, ax25 = 3, ipx = 4, appletalk = 5, netrom = 6, bridge = 7,
	atmpvc = 8, x25 = 9, inet6 = 10, rose = 11, decnet = 12, netbeui = 13, security = 14, key = 15, netlink = 16, route = 16,
	packet = 17, ash = 18, econet = 19, atmsvc = 20, rds = 21, sna = 22, irda = 23, pppox = 24, wanpipe = 25, llc = 26,
	can = 29, tipc = 30, bluetooth = 31, iucv = 32, rxrpc = 33, isdn = 34, phonet = 35, ieee802154 = 36,
}
local FIRST = { unix = "local", file = "local", route = "netlink" }
local PROTOCOLS = {
	ip = 0, hopopts = 0, icmp = 1, igmp = 2, ipip = 4, tcp = 6, egp = 8, pup = 12, udp = 17, idp = 22, tp = 29, dccp = 33,
	ipv6 = 41, routing = 43, fragment = 44, rsvp = 46, gre = 47, esp = 50, ah = 51, icmpv6 = 58, none = 59, dstopts = 60,
	mtp = 92, encap = 98, pim = 103, comp = 108, sctp = 132, udplite = 136, raw = 255,
}
FIRST.hopopts = "ip"

local function check_words(words, wanted, set, get, attribute)
	local count = 0
	for word, number in pairs(words) do
		local object = nfct.new()
		equal(word .. " can be chained", nfct[set](object, attribute, word), object)
		equal(word .. " as a number", nfct.get_attr_u8(object, attribute), number)
		equal(word .. " as a word", nfct[get](object, attribute), FIRST[word] or word)
		count = count + 1
	end
	equal("words of " .. set, count, wanted)
	equal("another word", pcall(nfct[set], nfct.new(), attribute, "TCP"), false)
end
check_words(FAMILIES, 38, "set_attr_pf", "get_attr_pf", "l3proto")
check_words(PROTOCOLS, 29, "set_attr_ipproto", "get_attr_ipproto", "l4proto")

-- --- options of objects

local function connection(status)
	local c = nfct.new()
	nfct.set_attr_pf(c, "l3proto", "inet")
	nfct.set_attr_ipproto(c, "l4proto", "tcp")
	nfct.set_attr_ipv4(c, "ipv4-src", "10.0.0.1")
	nfct.set_attr_ipv4(c, "ipv4-dst", "10.0.0.2")
	nfct.set_attr_port(c, "port-src", 1000)
	nfct.set_attr_port(c, "port-dst", 80)
	nfct.setobjopt(c, "setup-reply")
	nfct.set_attr_u32(c, "status", status)
	return c
end
local SRC_NAT, DST_NAT = 0x10, 0x20

-- What the answer goes to is what the sender was made to look like.
local masked = connection(SRC_NAT)
nfct.set_attr_ipv4(masked, "repl-ipv4-dst", "192.0.2.1")
nfct.set_attr_port(masked, "repl-port-dst", 6000)
equal("undo-snat", nfct.setobjopt(masked, "undo-snat"), masked)
equal("is undone", nfct.get_attr_ipv4(masked, "repl-ipv4-dst"), "10.0.0.1")
equal("and told", nfct.get_attr_ipv4(masked, "snat-ipv4"), "192.0.2.1")
equal("undo-spat", nfct.setobjopt(masked, "undo-spat"), masked)
equal("its port is undone", nfct.get_attr_port(masked, "repl-port-dst"), 1000)
equal("its port is told", nfct.get_attr_port(masked, "snat-port"), 6000)

local redirected = connection(DST_NAT)
nfct.set_attr_ipv4(redirected, "repl-ipv4-src", "192.0.2.2")
nfct.set_attr_port(redirected, "repl-port-src", 8080)
equal("undo-dnat", nfct.setobjopt(redirected, "undo-dnat"), redirected)
equal("is undone", nfct.get_attr_ipv4(redirected, "repl-ipv4-src"), "10.0.0.2")
equal("and told", nfct.get_attr_ipv4(redirected, "dnat-ipv4"), "192.0.2.2")
equal("undo-dpat", nfct.setobjopt(redirected, "undo-dpat"), redirected)
equal("its port is undone", nfct.get_attr_port(redirected, "repl-port-src"), 80)
equal("its port is told", nfct.get_attr_port(redirected, "dnat-port"), 8080)

local back = nfct.new()
nfct.set_attr_pf(back, "repl-l3proto", "inet")
nfct.set_attr_ipproto(back, "repl-l4proto", "udp")
nfct.set_attr_ipv4(back, "repl-ipv4-src", "10.0.0.2")
nfct.set_attr_ipv4(back, "repl-ipv4-dst", "10.0.0.1")
nfct.set_attr_port(back, "repl-port-src", 53)
nfct.set_attr_port(back, "repl-port-dst", 1000)
equal("setup-original", nfct.setobjopt(back, "setup-original"), back)
equal("its source", nfct.get_attr_ipv4(back, "ipv4-src"), "10.0.0.1")
equal("its port", nfct.get_attr_port(back, "port-dst"), 53)
equal("another option", select(2, pcall(nfct.setobjopt, back, "undo")),
	"bad argument #2 to 'setobjopt' (invalid option 'undo')")

-- --- handles: callbacks, their kinds and words, both orders of loop

local h = assert(nfct.open("both", "new", "update", "destroy"))
equal("setblocking can be chained", nfct.setblocking(h), h)
equal("back", nfct.setblocking(h, false), h)
for _, kind in ipairs({ "new", "update", "destroy", "all", "error" }) do
	equal("ct " .. kind, nfct.ct_callback_register(h, print, kind), h)
	equal("exp " .. kind, nfct.exp_callback_register(h, print, kind), h)
end
equal("another kind", select(2, pcall(nfct.ct_callback_register, h, print, "old")),
	"bad argument #3 to 'ct_callback_register' (invalid option 'old')")
local function result(...) return table.concat({ tostring((...)), select(2, ...) }, " ") end
equal("nothing waits", result(nfct.catch(h)), "nil timeout 11")
equal("loop as in the text", result(nfct.loop(h, "new", print)), "nil timeout 11")
equal("loop as in the code", result(nfct.loop(h, print, "new")), "nil timeout 11")

-- What a callback says of the first of two events.
local port = 1000
local function answer(word)
	local handle, count = assert(nfct.open("conntrack", "new")), 0
	nfct.ct_callback_register(handle, function(kind)
		equal("kind", kind, "new")
		count = count + 1
		return word
	end)
	for _ = 1, 2 do
		port = port + 1
		local made = connection(0)
		nfct.set_attr_port(made, "port-src", port)
		nfct.setobjopt(made, "setup-reply")
		nfct.set_attr_u32(made, "timeout", 100)
		nfct.set_attr_u8(made, "tcp-state", 3)
		assert(nfct.query(handle, "create", made))
	end
	local good, got, why, number = pcall(nfct.catch, handle)
	nfct.close(handle)
	return count .. " " .. (not good and got or got == handle and "handle" or why .. " " .. number)
end
equal("nothing", answer(nil), "2 timeout 11")
equal("continue", answer("continue"), "2 timeout 11")
equal("stolen", answer("stolen"), "2 timeout 11")
equal("stop", answer("stop"), "1 handle")
equal("failure", answer("failure"), "1 callback failure 0")
equal("another verdict", answer("X"), "1 bad verdict 'X'")

nfct.close(h)
equal("closed", select(2, pcall(nfct.close, h)), "conntrack handle is closed")

checks.finish()
