-- Facts of packets without their bytes, through the loop and beside a timer: nfq-meta.lua MODE COUNT
require "nfq"

local mode, left = arg[1], tonumber(arg[2])
local function show(qdata)
	local meta = nfq.get_meta(qdata)
	print("packet", #nfq.get_payload(qdata), meta.len, meta.hook, meta.ifin or meta.ifout)
	left = left - 1
	if left > 0 then return end
	if mode == "loop" then error("enough") end
	timer_set("end", function() os.exit(7) end, 10, true)
end

if mode == "loop" then
	print("ready")
	print(pcall(nfq.loop, show, "meta"))
	return
end
local h = assert(nfq.open())
local q = assert(nfq.create_queue(h, 0))
assert(nfq.set_mode(q, "packet", 40))
assert(nfq.attach(h, show))
timer_set("tick", function() print("ready") end, 20, true)
