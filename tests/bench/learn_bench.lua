-- What learning costs: get and set of a store, and a packet through `learn` against one through `circular`. Run by
-- learn_bench.py; times are of the processor.

local ROUNDS = 200000

-- Microseconds of one call.
local function cost(f)
	local best
	for _ = 1, 5 do
		local begin = os.clock()
		for i = 1, ROUNDS do f(i) end
		local spent = (os.clock() - begin) / ROUNDS * 1e6
		if not best or spent < best then best = spent end
	end
	return best
end

local s = store("bench")
local fields = { ok = 12, bad = 3, last_ok = 1764457000.123, last_bad = 1764455000 }
s:set("web/www.example.com/2", fields)
print(("get=%.3f"):format(cost(function() s:get("web/www.example.com/2") end)))
print(("set=%.3f"):format(cost(function() s:set("web/www.example.com/2", fields) end)))

-- Packets of a connection of which nothing is known yet, so that the detectors look at each.
local ALWAYS = { from = { mode = "a", pos = 0 }, to = { mode = "a", pos = 0 }, upper_cutoff = false }

function bench_strategy() end

local instances = {}
for n = 1, 5 do
	instances[n] = { func = "bench_strategy", func_n = n + 1, func_instance = "bench_strategy_1_" .. n + 1,
		arg = { strategy = tostring(n) }, payload_filter = "all", range = ALWAYS }
end

local function packets(orchestrator)
	local side = { pcounter = 2, pdcounter = 1, pbcounter = 500,
		tcp = { seq0 = 1000, rseq = 1, pos = 501, uppos = 501, uppos_prev = 0 } }
	local answer = { pcounter = 1, pdcounter = 0, pbcounter = 0,
		tcp = { seq0 = 1000, rseq = 0, pos = 1, uppos = 1, uppos_prev = 0 } }
	local track = { lua_state = {}, hostname = "www.example.com", pos = { direct = side, reverse = answer } }
	local dis = { ip = {}, tcp = { th_flags = TH_ACK, th_ack = 1001 }, payload = ("h"):rep(500) }
	local target = { ip = "\10\0\0\1", port = 443 }
	return cost(function(i)
		if i % 20 == 1 then track.lua_state = {} end -- another connection
		local plan = {}
		for n = 1, 5 do plan[n] = instances[n] end
		_G[orchestrator](nil, { plan = plan, arg = { key = "bench" }, func = orchestrator, func_n = 1,
			func_instance = orchestrator .. "_1_1", outgoing = true, l7payload = "tls_client_hello", target = target,
			dis = dis, track = track })
	end)
end

store("learn"):set("bench/www.example.com", { cur = 1 })
print(("circular=%.3f"):format(packets("circular")))
print(("learn=%.3f"):format(packets("learn")))
