-- Conntracks and expectations as objects, without a kernel: what the module nfct says of them.
-- Prints "N passed, N failed" as its last line.
require "nfct"
local checks = require "checks"
local equal, fails = checks.equal, checks.fails

local little = string.dump == nil or nfct.ntohs(1) == 256

-- A line of the library, once there is enough to say.
local ct = nfct.new()
equal("an empty one", nfct.tostring(ct), "")
equal("set_attr_pf can be chained", nfct.set_attr_pf(ct, "l3proto", "inet"), ct)
equal("set_attr_ipv4 can be chained", nfct.set_attr_ipv4(ct, "ipv4-src", "1.2.3.4"), ct)
nfct.set_attr_ipv4(ct, "orig-ipv4-dst", "5.6.7.8")
equal("without ports and protocol", nfct.tostring(ct), "")
nfct.set_attr_ipproto(ct, "l4proto", "tcp")
nfct.set_attr_port(ct, "port-src", 1000)
nfct.set_attr_n16(ct, "port-dst", 80)
local forth = "tcp      6 src=1.2.3.4 dst=5.6.7.8 sport=1000 dport=80"
local back = " src=5.6.7.8 dst=1.2.3.4 sport=80 dport=1000"
equal("one direction", nfct.tostring(ct), forth)
equal("tostring()", tostring(ct), "conntrack: " .. forth)
equal("setobjopt can be chained", nfct.setobjopt(ct, "setup-reply"), ct)
equal("both directions", nfct.tostring(ct), forth .. back)
nfct.set_attr_u8(ct, "tcp-state", 3)
nfct.set_attr_u32(ct, "timeout", 100)
nfct.set_attr_u32(ct, "mark", 5)
nfct.set_attr_u32(ct, "status", 0)
local addresses = "src=1.2.3.4 dst=5.6.7.8 sport=1000 dport=80"
equal("new", nfct.tostring(ct, "new"),
	"    [NEW] tcp      6 100 ESTABLISHED " .. addresses .. " [UNREPLIED]" .. back .. " mark=5")
nfct.set_attr_u32(ct, "status", 6)
equal("update", nfct.tostring(ct, "update"),
	" [UPDATE] tcp      6 100 ESTABLISHED " .. addresses .. back .. " [ASSURED] mark=5")
equal("destroy", nfct.tostring(ct, "destroy"):sub(1, 9), "[DESTROY]")

-- Numbers in both orders and of all widths.
equal("port", nfct.get_attr_port(ct, "port-dst"), 80)
equal("port as stored", nfct.get_attr_u16(ct, "port-dst"), little and 20480 or 80)
equal("address as stored", nfct.get_attr_u32(ct, "ipv4-src"), little and 0x04030201 or 0x01020304)
equal("address", nfct.get_attr_n32(ct, "ipv4-src"), 0x01020304)
equal("address as text", nfct.get_attr_ipv4(ct, "orig-ipv4-src"), "1.2.3.4")
nfct.set_attr_u32(ct, "mark", 0x1FF)
equal("low bits", nfct.get_attr_u8(ct, "mark"), 255)
equal("the whole", nfct.get_attr_u64(ct, "mark"), 0x1FF)
equal("not set", nfct.get_attr_u32(ct, "id"), 0)
equal("has it", nfct.has_attr(ct, "mark"), true)
equal("has it not", nfct.has_attr(ct, "id"), false)
nfct.unset_attr(ct, "mark")
equal("unset", nfct.has_attr(ct, "mark"), false)
nfct.set_attr_u32(ct, "mark", -1)
equal("negative", nfct.get_attr_u32(ct, "mark"), 0xFFFFFFFF)
nfct.set_attr_u32(ct, "mark", 2 ^ 32 + 7.9)
equal("modulo, without fraction", nfct.get_attr_u32(ct, "mark"), 7)
nfct.set_attr_u32(ct, "use", 3)
equal("what cannot be set", nfct.get_attr_u32(ct, "use"), 0)
nfct.set_attr_u64(ct, "dccp-handshake-seq", 2 ^ 40)
equal("64 bits", nfct.get_attr_u64(ct, "dccp-handshake-seq"), 2 ^ 40)

-- Words.
equal("protocol", nfct.get_attr_ipproto(ct, "l4proto"), "tcp")
equal("alias", nfct.get_attr_ipproto(ct, "orig-l4proto"), "tcp")
nfct.set_attr_u8(ct, "l4proto", 200)
equal("unknown protocol", nfct.get_attr_ipproto(ct, "l4proto"), 200)
equal("family", nfct.get_attr_pf(ct, "l3proto"), "inet")
nfct.set_attr_pf(ct, "l3proto", "file")
equal("the first of several words", nfct.get_attr_pf(ct, "l3proto"), "local")
nfct.set_attr_u8(ct, "l3proto", 99)
equal("unknown family", nfct.get_attr_pf(ct, "l3proto"), 99)
equal("ntohs", nfct.ntohs(0x1234), little and 0x3412 or 0x1234)
equal("htons", nfct.htons(0x21234), little and 0x3412 or 0x1234)
nfct.set_attr_str(ct, "helper-name", "ftp")
equal("text", nfct.get_attr_str(ct, "helper-name"), "ftp")
equal("no text", select(2, nfct.get_attr_str(ct, "secctx")), "attribute not set")

local copy = nfct.clone(ct)
nfct.destroy(ct)
equal("a copy lives on", nfct.get_attr_str(copy, "helper-name"), "ftp")
fails("destroyed", "conntrack is destroyed", nfct.tostring, ct)
fails("destroyed twice", "conntrack is destroyed", nfct.destroy, ct)
equal("tostring() of a destroyed one", tostring(ct), "conntrack: destroyed")

-- ICMPv6.
local echo = nfct.new()
nfct.set_attr_pf(echo, "l3proto", "inet6")
nfct.set_attr_ipproto(echo, "l4proto", "icmpv6")
nfct.set_attr_ipv6(echo, "ipv6-src", "2001:db8::1")
nfct.set_attr_ipv6(echo, "ipv6-dst", "2001:db8::1")
nfct.set_attr_u8(echo, "icmp-type", 128)
nfct.set_attr_u8(echo, "icmp-code", 0)
nfct.set_attr_n16(echo, "icmp-id", 99)
equal("icmpv6", nfct.tostring(echo, "new"),
	"    [NEW] icmpv6   58 src=2001:db8::1 dst=2001:db8::1 type=128 code=0 id=99")
equal("ipv6", nfct.get_attr_ipv6(echo, "ipv6-dst"), "2001:db8::1")
local none, why, number = nfct.set_attr_ipv6(echo, "ipv6-dst", "1.2.3.4")
equal("no address", table.concat({ tostring(none), why, number }, " "), "nil Invalid argument 22")
none, why, number = nfct.get_attr_ipv4(echo, "ipv4-src")
equal("absent", table.concat({ tostring(none), why, number }, " "), "nil attribute not set 2")

-- Expectations.
local function side(sport, dport)
	local c = nfct.new()
	nfct.set_attr_pf(c, "l3proto", "inet")
	nfct.set_attr_ipv4(c, "ipv4-src", "10.0.0.1")
	nfct.set_attr_ipv4(c, "ipv4-dst", "10.0.0.2")
	nfct.set_attr_ipproto(c, "l4proto", "tcp")
	nfct.set_attr_port(c, "port-src", sport)
	nfct.set_attr_port(c, "port-dst", dport)
	return c
end
local master, expected, mask = side(1000, 21), side(1000, 80), side(0, 65535)
local e = nfct.exp_new(master, expected, mask, 30, "permanent", nil)
nfct.destroy(master)
nfct.destroy(expected)
nfct.destroy(mask)
local text = nfct.exp_tostring(e)
equal("an expectation", text:sub(1, 58), "30 proto=6 src=10.0.0.1 dst=10.0.0.2 sport=1000 dport=80 m")
equal("its master", text:find(" master-src=10.0.0.1 ", 1, true) ~= nil, true)
equal("its flags", text:sub(-9), "PERMANENT")
equal("its kind", nfct.exp_tostring(e, "new"):sub(1, 9), "    [NEW]")
nfct.exp_destroy(e)
fails("a destroyed expectation", "expectation is destroyed", nfct.exp_tostring, e)

-- Wrong things.
fails("a wrong kind", "bad argument #1 to 'close' (conntrack handle expected, got conntrack)", nfct.close, copy)
fails("a word", "bad argument #2 to 'get_attr_u8' (invalid option 'colour')", nfct.get_attr_u8, copy, "colour")
fails("a word of open", "bad argument #2 to 'open' (invalid option 'X')", nfct.open, "conntrack", "X")
fails("nothing", "bad argument #1 to 'open' (string expected, got no value)", nfct.open)
fails("no number", "attribute 'helper-name' is not a number", nfct.get_attr_u8, copy, "helper-name")
fails("no address", "attribute 'mark' is no ipv4 address", nfct.get_attr_ipv4, copy, "mark")
fails("a group", "attribute group 'grp-icmp' cannot be read as a number", nfct.get_attr_u8, copy, "grp-icmp")
fails("an expectation of nothing", "conntrack expected, got nil", nfct.exp_new, nil, copy, copy, 1)
fails("a time-out", "out of range", nfct.exp_new, copy, copy, copy, -1)
fails("no conntrack", "conntrack expected, got table", nfct.tostring, {})

checks.finish()
