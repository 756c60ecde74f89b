-- Prints the events of connections until so many came that were asked for: nfct-events.lua COUNT [PORT]
require "nfct"

local left, port = tonumber(arg[1]), tonumber(arg[2])
local h = assert(nfct.open("conntrack", "all"))

assert(nfct.ct_callback_register(h, function(kind, ct)
	if port and nfct.get_attr_port(ct, "port-dst") ~= port then return "continue" end
	print(kind, nfct.tostring(ct, kind))
	left = left - 1
	return left > 0 and "continue" or "stop"
end, "all"))
print("fd", nfct.fd(h) > 2)
assert(nfct.catch(h) == h)
nfct.fini(h)
