-- A load for a long run: objects of packets that outlive them, timers that fire and timers that never do, events of
-- the kernel's connections with copies of them, JSON, stores. Tells every 5 s how far it is. Load after zapret-nflua.lua.
require "nfct"

local done = { packets = 0, fired = 0, new = 0, update = 0, destroy = 0 }
local layout = data.layout { ttl = { 64, 8 }, source = { 12, 4, "s" } }

-- Events: text of each, and an object made from it that is left to the collector every other time.
local handle = assert(nfct.open("conntrack", "all"))
assert(nfct.ct_callback_register(handle, function(kind, ct)
	done[kind] = done[kind] + 1
	assert(#nfct.tostring(ct, kind) > 0)
	local copy = nfct.new()
	nfct.set_attr_pf(copy, "l3proto", "inet")
	nfct.set_attr_port(copy, "port-dst", nfct.get_attr_port(ct, "port-dst"))
	if done[kind] % 2 == 0 then nfct.destroy(copy) end
	return "continue"
end, "all"))
nfct.attach(handle)

local function keep_for_a_while(packet)
	local kept, at = nf.getpacket(), done.packets
	timer.create(50 + at % 200, function()
		kept:close()
		done.fired = done.fired + 1
	end)
	local never = timer.create(3600 * 1000, function() error("it was destroyed") end)
	timer.destroy(never)
	return packet:segment(0, 20)
end

function soak(_, packet)
	packet:layout(layout)
	done.packets = done.packets + 1
	local head = keep_for_a_while(packet)
	head:layout(layout)
	local text = json.encode({ id = nf.connid(), ttl = packet.ttl, source = #head.source, list = { 1, 2, 3 } })
	assert(json.decode(text).ttl == packet.ttl)
	store("soak"):set("key" .. done.packets % 1000, { text = text })
	timer_set("by name " .. done.packets % 50, function() done.fired = done.fired + 1 end, 300, true)
	return false
end

timer_set("report", function()
	print(("soak packets=%d fired=%d new=%d update=%d destroy=%d lua=%d"):format(done.packets, done.fired, done.new,
		done.update, done.destroy, collectgarbage("count")))
end, 5000)
