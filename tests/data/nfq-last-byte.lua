-- Changes the last byte of every packet of queue 0 (or of the one that is named), as the example of
-- netfilter-lua does; of the packets that are named behind it drops those.
local nfq = require "nfq"

local number = tonumber(arg[1] or 0)
local dropped = {}
for i = 2, #arg do
	dropped[tonumber(arg[i])] = true
end

local h = assert(nfq.open())
assert(nfq.unbind_pf(h, "inet"))
assert(nfq.bind_pf(h, "inet"))
local q = assert(nfq.create_queue(h, number))
assert(nfq.set_mode(q, nil, 0xffff))
print("ready", nfq.fd(h))
local count = 0
print("end", nfq.catch(h, function(qdata)
	count = count + 1
	if dropped[count] then return "drop" end
	local packet = nfq.get_payload(qdata)
	return "accept", packet:sub(1, -2) .. string.char((packet:byte(-1) + 1) % 256)
end))
print("packets", count)
nfq.destroy_queue(q)
nfq.close(h)
