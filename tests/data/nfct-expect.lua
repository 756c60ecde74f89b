-- An expectation for the control connection of FTP that is there: nfct-expect.lua PORT
require "nfct"

local port = tonumber(arg[1])
local h = assert(nfct.open("both"))
local master
for _, ct in ipairs(assert(nfct.query(h, "dump", "inet"))) do
	if nfct.get_attr_port(ct, "port-dst") == 21 then master = ct end
end
print("helper", master and nfct.get_attr_str(master, "helper-name"))

local function tuple(src, dst, sport, dport)
	local ct = nfct.new()
	nfct.set_attr_pf(ct, "l3proto", "inet")
	nfct.set_attr_ipv4(ct, "ipv4-src", src)
	nfct.set_attr_ipv4(ct, "ipv4-dst", dst)
	nfct.set_attr_ipproto(ct, "l4proto", "tcp")
	nfct.set_attr_port(ct, "port-src", sport)
	nfct.set_attr_port(ct, "port-dst", dport)
	return ct
end

local function address(attr)
	return nfct.get_attr_ipv4(master, attr)
end

local e = nfct.exp_new(master, tuple(address("ipv4-src"), address("ipv4-dst"), 0, port),
	tuple("255.255.255.255", "255.255.255.255", 0, 65535), 30)
for _, what in ipairs{ "create", "create", "destroy", "destroy" } do
	local good, _, number = nfct.exp_query(h, what, e)
	print(what, good == h, number)
end
