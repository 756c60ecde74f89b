-- The kernel's table from a script: makes an entry, changes, finds, lists and deletes it, and says
-- what the same steps give a second time. Then expectations, which want a master with a helper.
require "nfct"

local h = assert(nfct.open("both"))

local function step(what, good, why, number)
	print(what, good == h and "done" or good and "found" or why, number or "")
end

local function connection(dport)
	local ct = nfct.new()
	nfct.set_attr_pf(ct, "l3proto", "inet")
	nfct.set_attr_ipv4(ct, "ipv4-src", "10.9.0.1")
	nfct.set_attr_ipv4(ct, "ipv4-dst", "10.9.0.2")
	nfct.set_attr_ipproto(ct, "l4proto", "tcp")
	nfct.set_attr_port(ct, "port-src", 1025)
	nfct.set_attr_port(ct, "port-dst", dport)
	return ct
end

local ct = nfct.setobjopt(connection(4242), "setup-reply")
step("get", nfct.query(h, "get", ct))
nfct.set_attr_u32(ct, "timeout", 100)
nfct.set_attr_u8(ct, "tcp-state", 3)
step("create", nfct.query(h, "create", ct))
step("create again", nfct.query(h, "create", ct))
nfct.set_attr_u32(ct, "mark", 5)
step("update", nfct.query(h, "update", ct))
local found = nfct.query(h, "get", connection(4242))
print("mark", found and nfct.get_attr_u32(found, "mark"))
local count = 0
step("dump", nfct.query(h, "dump", "inet", function(entry)
	if nfct.get_attr_port(entry, "port-dst") == 4242 then count = count + 1 end
end))
print("entries", count, #nfct.query(h, "dump", nil) >= count)

local mask = connection(65535)
nfct.set_attr_ipv4(mask, "ipv4-src", "255.255.255.255")
nfct.set_attr_ipv4(mask, "ipv4-dst", "255.255.255.255")
nfct.set_attr_port(mask, "port-src", 0)
local e = nfct.exp_new(ct, connection(4243), mask, 30)
local _, _, number = nfct.exp_query(h, "create", e)
print("expectation without a helper", number)
print("query", pcall(nfct.exp_query, h, "dump", e))

step("destroy", nfct.query(h, "destroy", ct))
step("destroy again", nfct.query(h, "destroy", ct))
nfct.close(h)
print("closed", pcall(nfct.query, h, "get", ct))
