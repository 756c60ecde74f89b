-- learn and the detectors of zapret-learn.lua, on tables of packets. Load after zapret-lib.lua, zapret-auto.lua and
-- zapret-learn.lua. Prints "N passed, M failed".

local now = 1800000000

function clock_getfloattime()
	return now
end

function os.time()
	return math.floor(now)
end

-- What another worker or a person does between the read and the write of a result.
local between
local records = assert(store("learn"))

function store()
	return setmetatable({}, { __index = function(_, method)
		return function(_, ...)
			local results = { records[method](records, ...) }
			if method == "get" and between then between(...) end
			return unpack(results)
		end
	end })
end

unpack = unpack or table.unpack

local passed, failed = 0, 0

local function check(what, got, wanted)
	if got == wanted then
		passed = passed + 1
	else
		failed = failed + 1
		print(("FAIL %s: %s instead of %s"):format(what, tostring(got), tostring(wanted)))
	end
end

-- --- packets

local ALWAYS = { from = { mode = "a", pos = 0 }, to = { mode = "a", pos = 0 }, upper_cutoff = false }
local ran = {}

function note_run(_, desync)
	ran[#ran + 1] = tonumber(desync.arg.strategy) or "untagged"
	return desync.arg.acts and VERDICT_MODIFY or VERDICT_PASS
end

local function plan_of(count, more)
	local plan = {}
	local function add(arg)
		plan[#plan + 1] = { func = "note_run", func_n = #plan + 2, func_instance = "note_run_" .. #plan + 2, arg = arg,
			payload_filter = "all", range = ALWAYS }
	end
	add({})
	for n = 1, count do
		local arg = { strategy = tostring(n) }
		for name, value in pairs(more or {}) do arg[name] = value end
		add(arg)
	end
	return plan
end

-- A connection; its sides count what was shown.
local function connection(name, udp)
	local function side()
		local new = { pcounter = 0, pdcounter = 0, pbcounter = 0 }
		if not udp then new.tcp = { seq0 = 1000, rseq = 0, pos = 0, uppos = 0, uppos_prev = 0 } end
		return new
	end
	return { name = name, udp = udp, lua_state = {}, client = side(), server = side() }
end

local function count(side, payload, seq)
	side.pcounter = side.pcounter + 1
	if #payload > 0 then side.pdcounter = side.pdcounter + 1 end
	side.pbcounter = side.pbcounter + #payload
	local tcp = side.tcp
	if tcp then
		tcp.rseq, tcp.pos, tcp.uppos_prev = seq, seq + #payload, tcp.uppos
		tcp.uppos = math.max(tcp.uppos, tcp.pos)
	end
end

-- A packet: way "out" or "in", then flags, payload, seq, ack (relative), l7payload, of which all but way may be absent.
local function table_of(c, way, p, arg)
	p = p or {}
	local payload = p.payload or ""
	local direct, reverse = c.client, c.server
	if way == "in" then direct, reverse = reverse, direct end
	count(direct, payload, p.seq or math.max(direct.tcp and direct.tcp.uppos or 0, 1))
	local dis = { ip = {}, payload = payload }
	if c.udp then
		dis.udp = {}
	else
		dis.tcp = { th_flags = p.flags or TH_ACK, th_ack = 1000 + (p.ack or math.max(reverse.tcp.uppos, 1)) }
	end
	return {
		func = "learn", func_n = 1, func_instance = arg.instance or "learn_1_1", arg = arg, outgoing = way == "out", dis = dis,
		l7payload = p.l7payload or payload ~= "" and "unknown" or "empty", target = { ip = "\10\0\0\1", port = 443 },
		track = { lua_state = c.lua_state, hostname = c.name, pos = { direct = direct, reverse = reverse } },
	}
end

local function copy(arg)
	local new = {}
	for name, value in pairs(arg) do new[name] = value end
	return new
end

-- Shows a packet to learn; the strategies that ran, with commas.
local function show(c, way, p, arg, plan)
	ran = {}
	local desync = table_of(c, way, p, copy(arg or {}))
	desync.plan = {}
	for i, instance in ipairs(plan or plan_of(3)) do
		desync.plan[i] = instance
	end
	learn(nil, desync)
	return table.concat(ran, ",")
end

local HELLO = { payload = ("h"):rep(300), seq = 1, l7payload = "tls_client_hello" }

local function fails(c, arg, plan)
	for _ = 1, 4 do
		now = now + 0.01
		show(c, "out", HELLO, arg, plan)
	end
end

local function succeeds(c, arg, plan)
	now = now + 0.01
	show(c, "in", { payload = ("r"):rep(1000), seq = 6000 }, arg, plan)
end

local function open(name, arg, plan)
	local c = connection(name)
	return c, show(c, "out", HELLO, arg, plan)
end

local function strategy_for(name, arg, plan)
	now = now + 0.01
	local c = open(name, arg, plan)
	return c.lua_state.learn.strategy, c.lua_state.learn.why
end

local function fail(name, arg, plan)
	now = now + 0.01
	fails((open(name, arg, plan)), arg, plan)
end

local function succeed(name, arg, plan)
	now = now + 0.01
	succeeds((open(name, arg, plan)), arg, plan)
end

local function forget_all()
	records:each(function(key) records:delete(key) end)
end

-- --- choice

local K = { key = "k" }

do
	local c, run = open("a.example", K)
	check("first strategy and instances without number", run, "untagged,1")
	check("host", c.lua_state.learn.host, "a.example")
	check("why", c.lua_state.learn.why, "best")
	check("nothing is kept without a result", records:count(), 0)
	succeeds(c, K)
	check("result", c.lua_state.learn.result, "success")
	check("current", records:get("k/a.example").cur, 1)
	check("count of the host", records:get("k/a.example/1").ok, 1)
	check("sum", records:get("k/*/1").ok, 1)
	succeeds(c, K)
	fails(c, K)
	check("one result a flow", records:get("k/*/1").ok, 1)
	check("one result a flow, failures", records:get("k/*/1").bad, 0)
	check("current", select(2, strategy_for("a.example", K)), "current")
end

do -- success without a named detector
	forget_all()
	local function small_reply(arg)
		local c = open("a.example", arg)
		show(c, "in", { flags = TH_SYN + TH_ACK, seq = 0 }, arg)
		show(c, "in", { payload = "reply" }, arg)
		show(c, "in", { flags = TH_FIN + TH_ACK }, arg)
		return c.lua_state.learn.result
	end
	check("a small reply with its end", small_reply({ key = "k", in_pkts = "10" }), "success")
	check("also beside detect_cutoff", small_reply({ key = "k", in_pkts = "10", failure_detector = "detect_cutoff" }),
		"success")
	local c = open("a.example", { key = "k", in_pkts = "40", failure_detector = "detect_cutoff" })
	succeeds(c, { key = "k", in_pkts = "40", failure_detector = "detect_cutoff" })
	check("but not the first 4 kB there", c.lua_state.learn.result, nil)
end

do -- a strategy that has worked has three failures, a new one two
	forget_all()
	succeed("a.example", K)
	fail("a.example", K)
	fail("a.example", K)
	check("two failures are not enough", strategy_for("a.example", K), 1)
	succeed("a.example", K)
	fail("a.example", K)
	fail("a.example", K)
	check("a success resets them", strategy_for("a.example", K), 1)
	now = now + 61
	fail("a.example", K)
	check("older ones are forgotten", strategy_for("a.example", K), 1)
	fail("a.example", K)
	fail("a.example", K)
	local n, why = strategy_for("a.example", K)
	check("the next strategy", n, 2)
	check("its reason", why, "best")
	fail("a.example", K)
	check("one failure of a new one", strategy_for("a.example", K), 2)
	fail("a.example", K)
	check("two failures of a new one", strategy_for("a.example", K), 3)
	fail("a.example", K)
	fail("a.example", K)
	n, why = strategy_for("a.example", K)
	check("all have failed: the oldest failure", n, 1)
	check("its reason", why, "retry")
	succeed("a.example", K)
	check("after a success", select(2, strategy_for("a.example", K)), "current")
	check("what works for others comes first", strategy_for("b.example", K), 1)
end

do -- parallel connections
	forget_all()
	succeed("a.example", K)
	now = now + 1
	local page = {}
	for i = 1, 6 do page[i] = open("a.example", K) end
	for i = 1, 6 do fails(page[i], K) end
	check("a page that fails changes the strategy once", strategy_for("a.example", K), 2)
	check("the failures are counted all the same", records:get("k/*/1").bad, 6)
	forget_all()
	succeed("a.example", K)
	for i = 1, 6 do page[i] = open("a.example", K) end
	succeeds(page[1], K)
	for i = 2, 6 do fails(page[i], K) end
	check("a page of which something came changes nothing", strategy_for("a.example", K), 1)
end

do -- pin, final, none
	forget_all()
	records:set("k/a.example", { pin = 3 }, 0)
	local n, why = strategy_for("a.example", K)
	check("pinned", n, 3)
	check("its reason", why, "pinned")
	for _ = 1, 4 do fail("a.example", K) end
	check("a pinned one stays", strategy_for("a.example", K), 3)
	check("pin is kept", records:get("k/a.example").pin, 3)
	succeed("a.example", K)
	check("pin is kept after a success", records:get("k/a.example").pin, 3)
	records:set("k/a.example", { pin = 9 }, 0)
	check("a pin that is none", select(2, strategy_for("a.example", K)) ~= "pinned", true)
	records:set("k/a.example", { cur = "what", changed = "x", used = "y" })
	check("a record that somebody has spoilt", strategy_for("a.example", K), 1)
	succeed("a.example", K)
	forget_all()
	local plan = plan_of(3)
	plan[2].arg.final = ""
	for _ = 1, 5 do fail("a.example", K, plan) end
	check("final", strategy_for("a.example", K, plan), 1)
	check("without it", records:get("k/a.example/1").bad, 5)
	forget_all()
	local none = { key = "k", none = "" }
	local _, run = open("a.example", none)
	check("none", run, "untagged")
	fail("a.example", none)
	fail("a.example", none)
	check("none has failed", strategy_for("a.example", none), 1)
end

do -- records that name no strategy of the plan
	for what, fields in pairs({ ["of a longer plan"] = { cur = 9 }, ["after a pin"] = {}, ["without none"] = { cur = 0 },
		["spoilt"] = { cur = "x" } }) do
		forget_all()
		records:set("k/a.example", fields)
		for _ = 1, 3 do fail("a.example", K) end
		check("a record " .. what .. " is left after failures", strategy_for("a.example", K), 2)
		records:set("k/a.example", fields)
		local c = open("a.example", K)
		succeeds(c, K)
		check("and has the one that succeeds", records:get("k/a.example").cur, c.lua_state.learn.strategy)
	end
	for _, pin in ipairs({ 9, "off" }) do
		forget_all()
		records:set("k/a.example", { cur = 1, pin = pin })
		for _ = 1, 3 do fail("a.example", K) end
		check("a pin that is none holds nothing", strategy_for("a.example", K), 2)
		check("and is kept", records:get("k/a.example").pin, pin)
	end
end

do -- times that have not come
	forget_all()
	succeed("a.example", K)
	now = now + 10800
	succeed("a.example", K)
	now = now - 10800
	for _ = 1, 4 do fail("a.example", K) end
	check("the clock was set back", strategy_for("a.example", K) ~= 1, true)
	forget_all()
	records:set("k/a.example", { cur = 1, changed = now + 1e8, used = now + 1e8 })
	records:set("k/a.example/1", { ok = 1, bad = 0, last_ok = now + 1e8, since = now + 1e8 })
	records:set("k/a.example/2", { ok = 0, bad = 1, last_bad = now + 1e8 })
	for _ = 1, 3 do fail("a.example", K) end
	check("a future that somebody wrote", strategy_for("a.example", K), 2)
	forget_all()
	records:set("k/*/1", { ok = -1, bad = -1 })
	records:set("k/*/2", { ok = 100, bad = 0 })
	records:set("k/*/3", { ok = 0 / 0, bad = 0 })
	check("counts that are none", strategy_for("a.example", K), 2)
end

do -- a pinned host stays as long as it is used
	forget_all()
	records:set("k/a.example", { cur = 1, pin = 2, used = now })
	now = now + 2 * 86400
	succeed("a.example", K)
	check("used", math.floor(records:get("k/a.example").used), math.floor(now))
end

do -- a host key that is no text
	function number_key() return 17 end
	check("host", open("a.example", { key = "k", hostkey = "number_key" }).lua_state.learn.host, "17")
end

do -- a pin that comes meanwhile
	local function pins(key)
		if key == "k/a.example" then records:merge(key, { pin = 2 }) end
	end
	for _, ends in ipairs({ succeeds, fails }) do
		forget_all()
		local c = open("a.example", K)
		between = pins
		ends(c, K)
		between = nil
		check("it is kept", records:get("k/a.example").pin, 2)
		check("beside the result", records:get("k/a.example").cur, 1)
	end
end

do -- more hosts than are kept
	forget_all()
	succeed("first.example", K)
	collectgarbage()
	local before = collectgarbage("count")
	for i = 1, 100000 do
		now = now + 0.001
		succeeds((open("host" .. i .. ".example", K)), K)
	end
	collectgarbage()
	local kept = records:count()
	check("records are bounded", kept > 5000 and kept <= 20000, true)
	check("so is Lua memory", collectgarbage("count") - before < 1000, true)
	check("the last host is known", select(2, strategy_for("host100000.example", K)), "current")
	check("the first is forgotten", select(2, strategy_for("first.example", K)), "best")
	check("what works for others is known", records:get("k/*/1").ok, 100001)
end

do -- groups, nld, keys
	forget_all()
	local file = os.tmpname()
	local f = io.open(file, "w")
	f:write("\239\187\191.mark.example first\n# comment\n.one.example First\nTwo.example\ndeep.one.example\n")
	f:close()
	local arg = { key = "k", groups = file }
	check("behind a byte order mark", open("x.mark.example", arg).lua_state.learn.host, "first")
	check("a name", open("x.one.example", arg).lua_state.learn.host, "first")
	check("the suffix", open("y.two.example", arg).lua_state.learn.host, "two.example")
	check("the longest suffix", open("z.deep.one.example", arg).lua_state.learn.host, "deep.one.example")
	check("the root of all names", open("c.example.", { key = "k" }).lua_state.learn.host, "c.example")
	check("no group", open("xone.example", arg).lua_state.learn.host, "xone.example")
	os.remove(file)
	local said, say = {}, DLOG_ERR
	function DLOG_ERR(text) said[#said + 1] = text end
	check("a file that is not there", open("a.example", { key = "k", groups = "/no/such" }).lua_state.learn.host,
		"a.example")
	open("b.example", { key = "k", groups = "/no/such" })
	DLOG_ERR = say
	check("is told once", #said, 1)
	check("with instance and reason", said[1]:match("^(learn_1_1: cannot read groups=/no/such: ).*No such file"),
		"learn_1_1: cannot read groups=/no/such: ")
	check("nld", open("a.b.c.example", { key = "k", nld = "2" }).lua_state.learn.host, "c.example")
	succeed("*", K)
	check("a host cannot be the sums", records:get("k/_").cur, 1)
	succeed("x/1", K)
	check("nor a strategy", records:get("k/x_1").cur, 1)
	succeed(("n"):rep(400), { key = ("k"):rep(400) })
	check("long names", records:get(("k"):rep(110) .. "/" .. ("n"):rep(110)).cur, 1)
	check("key is that of the instance", open("a.example", {}).lua_state.learn.key, "learn_1_1")
	local c = connection(nil)
	check("no host yet", show(c, "out", {}, { key = "k", reqhost = "" }), "untagged")
	c.name = "a.example"
	check("the host is there", show(c, "out", HELLO, { key = "k", reqhost = "" }), "untagged,1")
end

do -- the name comes later
	local function two_steps(plan)
		forget_all()
		records:set("k/a.example", { cur = 2 })
		local c = connection(nil)
		local first = show(c, "out", { flags = TH_SYN }, K, plan)
		c.name = "a.example"
		return c, first .. " " .. show(c, "out", HELLO, K, plan)
	end
	local c, run = two_steps()
	check("the flow changes", run, "untagged,1 untagged,2")
	check("the record of the name", c.lua_state.learn.host, "a.example")
	succeeds(c, K)
	check("the result goes to the name", records:get("k/a.example/2").ok, 1)
	check("nothing to the address", records:get("k/10.0.0.1"), nil)
	c, run = two_steps(plan_of(3, { acts = "" }))
	check("one that has acted stays", run, "untagged,1 untagged,1")
	succeeds(c, K)
	check("its result goes to the name", records:get("k/a.example/1").ok, 1)
	forget_all()
	records:set("k/10.0.0.1", { cur = 3 })
	c = connection(nil)
	check("the address' record", show(c, "out", { flags = TH_SYN }, K), "untagged,3")
	c.name = "new.example"
	check("a name without a record", show(c, "out", HELLO, K), "untagged,3")
end

do -- memory fades, exploring
	forget_all()
	for _ = 1, 8 do succeed("a.example", K) end
	now = now + 20 * 86400
	succeed("b.example", K)
	check("after 20 days half is left", records:get("k/*/1").ok, 5)
	forget_all()
	local arg = { key = "k", explore = "1" }
	succeed("a.example", arg)
	records:set("k/a.example/2", { ok = 1, last_ok = now, since = now })
	succeed("a.example", arg)
	local n, why = strategy_for("a.example", arg)
	check("explores", n, 2)
	check("why", why, "explore")
	check("one flow", select(2, strategy_for("a.example", arg)), "current")
	fail("a.example", arg)
	succeed("a.example", arg)
	check("not after a failure", select(2, strategy_for("a.example", arg)), "current")
end

do -- mistakes
	forget_all()
	local plan = plan_of(2)
	plan[2].arg.strategy = "7"
	check("a gap", pcall(open, "a.example", K, plan), false)
	check("no strategies", pcall(open, "a.example", K, plan_of(0)), false)
	check("no conntrack", learn(nil, { arg = {}, plan = plan_of(1), dis = { payload = "" }, l7payload = "empty" }),
		VERDICT_PASS)
	local ok, text = pcall(open, "a.example", { key = "k", failure_detector = "no_such+detect_silence" })
	check("an unknown detector", not ok and text:find("no_such", 1, true) ~= nil, true)
end

-- --- detectors

local function detect(name, c, way, p, arg)
	c.crec = c.crec or {}
	return _G[name](table_of(c, way, p, copy(arg or {})), c.crec)
end

local function handshake(name, c, arg)
	detect(name, c, "out", { flags = TH_SYN, seq = 0 }, arg)
	detect(name, c, "in", { flags = TH_SYN + TH_ACK, seq = 0 }, arg)
end

local IN = { in_pkts = "10" }

do -- silence, TCP
	local c = connection("a.example")
	handshake("detect_silence", c, IN)
	for i = 1, 4 do
		check("burst " .. i, detect("detect_silence", c, "out", { payload = "data" }, IN), false)
	end
	now = now + 2
	check("silence", detect("detect_silence", c, "out", { payload = "data" }, IN), true)

	c = connection("a.example")
	handshake("detect_silence", c, {})
	for _ = 1, 6 do
		now = now + 1
		check("not known what is queued", detect("detect_silence", c, "out", { payload = "data" }, {}), false)
	end
	check("nor by time", c.crec.due, nil)

	c = connection("a.example")
	detect("detect_silence", c, "out", { flags = TH_SYN, seq = 0 }, IN)
	for _ = 1, 6 do
		now = now + 1
		check("no reply is queued at all", detect("detect_silence", c, "out", { payload = "data" }, IN), false)
	end
	check("nor by time, none queued", c.crec.due, nil)

	c = connection("a.example")
	handshake("detect_silence", c, IN)
	detect("detect_silence", c, "out", { payload = "data" }, IN)
	check("waits", c.crec.due, now + 8)
	count(c.server, "reply", 1) -- seen by nobody
	detect("detect_silence", c, "out", {}, IN)
	check("a reply that was not shown", c.crec.due, nil)

	c = connection("a.example")
	handshake("detect_silence", c, IN)
	detect("detect_silence", c, "out", { payload = "data" }, IN)
	detect("detect_silence", c, "out", { ack = 500 }, IN)
	check("a reply that was not queued", c.crec.due, nil)

	c = connection("a.example")
	handshake("detect_silence", c, IN)
	detect("detect_silence", c, "out", { payload = "data" }, IN)
	detect("detect_silence", c, "out", { flags = TH_FIN + TH_ACK }, IN)
	check("the client has ended it", c.crec.due, nil)

	c = connection("a.example", true)
	for i = 1, 3 do
		now = now + 1
		check("udp " .. i, detect("detect_silence", c, "out", { payload = "data" }, IN), false)
	end
	check("udp", detect("detect_silence", c, "out", { payload = "data" }, IN), true)
end

do -- silence by the timer, for learn and circular
	forget_all()
	local arg = { key = "k", in_pkts = "10", failure_detector = "detect_silence+detect_tls_alert" }
	local function silent_flow(f)
		local c = connection("a.example")
		for _, step in ipairs { { "out", { flags = TH_SYN, seq = 0 } }, { "in", { flags = TH_SYN + TH_ACK, seq = 0 } },
			{ "out", HELLO } } do
			f(c, step[1], step[2])
		end
		return c
	end
	local c = silent_flow(function(c, way, p) show(c, way, p, arg) end)
	check("watched", timer_info("automate_watch") ~= nil, true)
	now = now + 7
	automate_watch_look()
	check("not due", c.lua_state.learn.result, nil)
	now = now + 2
	automate_watch_look()
	check("due", c.lua_state.learn.result, "failure")
	check("no timer without need", timer_info("automate_watch"), nil)
	check("counted", records:get("k/*/1").bad, 1)

	local circular_arg = { key = "c", in_pkts = "10", fails = "1", failure_detector = "detect_silence" }
	local function show_circular(connection_, way, p)
		local desync = table_of(connection_, way, p, copy(circular_arg))
		desync.plan = plan_of(3)
		ran = {}
		circular(nil, desync)
		return table.concat(ran, ",")
	end
	silent_flow(show_circular)
	now = now + 9
	automate_watch_look()
	check("circular", show_circular(connection("a.example"), "out", HELLO), "2")
end

do -- alert
	local function alert(bytes, p)
		local c = connection("a.example")
		handshake("detect_tls_alert", c)
		p = p or {}
		return detect("detect_tls_alert", c, p.way or "in", { payload = parse_hex(bytes), seq = p.seq or 1 })
	end
	check("fatal alert", alert("15030300020228"), true)
	check("warning", alert("15030300020100"), false)
	check("server hello", alert("160303007a020000760303"), false)
	check("later", alert("15030300020228", { seq = 3000 }), false)
	check("of the client", alert("15030300020228", { way = "out" }), false)
	check("short", alert("1503030002"), false)
end

do -- cutoff
	local arg = { in_pkts = "40" }
	local function reply(bytes, piece, arguments)
		local c = connection("a.example")
		handshake("detect_cutoff", c, arguments)
		detect("detect_cutoff", c, "out", { payload = "request" }, arguments)
		local seq = 1
		while seq <= bytes do
			local size = math.min(piece, bytes - seq + 1)
			check("data", detect("detect_cutoff", c, "in", { payload = ("d"):rep(size), seq = seq }, arguments), false)
			seq = seq + size
		end
		detect("detect_cutoff", c, "out", {}, arguments)
		return c
	end
	check("cut off", reply(14000, 1400, arg).crec.due, now + 5)
	check("the last piece was smaller: it was whole", reply(14100, 1400, arg).crec.due, nil)
	check("too early", reply(7000, 1400, arg).crec.due, nil)
	check("beyond", reply(28000, 1400, arg).crec.due, nil)
	check("not known what is queued", reply(14000, 1400, {}).crec.due, nil)
	check("queueing has ended", reply(14000, 1400, { in_pkts = "10" }).crec.due, nil)
	local c = reply(14000, 1400, arg)
	detect("detect_cutoff", c, "in", { payload = ("d"):rep(1400), seq = 14001 }, arg)
	check("it goes on", c.crec.due, nil)
	c = reply(14000, 1400, arg)
	detect("detect_cutoff", c, "out", { payload = "request" }, arg)
	check("another request", c.crec.due, nil)
	c = reply(14000, 1400, arg)
	local found = 0
	for _ = 1, 3 do
		if detect("detect_cutoff", c, "in", { payload = ("d"):rep(1400), seq = 12601 }, arg) then found = found + 1 end
	end
	check("repeats", found, 1)
end

do -- pages of providers
	local function page(reply, arg, name)
		local c = connection(name or "www.site.example")
		handshake("detect_blockpage", c)
		return detect("detect_blockpage", c, "in", { payload = reply, seq = 1, l7payload = "http_reply" }, arg)
	end
	check("451", page("HTTP/1.1 451 Unavailable\r\n\r\n"), true)
	check("foreign redirect", page("HTTP/1.1 302 Found\r\nLocation: http://block.provider.example.net/\r\n\r\n"), true)
	check("own redirect", page("HTTP/1.1 302 Found\r\nLocation: https://site.example/\r\n\r\n"), false)
	check("a known text", page("HTTP/1.1 200 OK\r\n\r\n<a href='//EAIS.RKN.GOV.RU'>"), true)
	check("a usual page", page("HTTP/1.1 200 OK\r\n\r\n<p>It works"), false)
	check("too far behind", page("HTTP/1.1 200 OK\r\n\r\n" .. (" "):rep(3000) .. "rkn.gov.ru"), false)
	local file = os.tmpname()
	local f = io.open(file, "w")
	f:write("# mine\nGo Away\n")
	f:close()
	check("a text of the user", page("HTTP/1.1 200 OK\r\n\r\nplease go away", { patterns = file }), true)
	check("which replace the known ones", page("HTTP/1.1 200 OK\r\n\r\nrkn.gov.ru", { patterns = file }), false)
	os.remove(file)
end

do -- bytes
	local function reply(arg, count_, size, flags)
		local c = connection("a.example")
		handshake("success_bytes", c, arg)
		detect("success_bytes", c, "out", { payload = "request" }, arg)
		local seen = 0
		for i = 1, count_ do
			local p = { payload = ("d"):rep(size), seq = 1 + (i - 1) * size, flags = i == count_ and flags or nil }
			if detect("success_bytes", c, "in", p, arg) then seen = i break end
		end
		return seen, c
	end
	local many = { in_pkts = "40" }
	check("so many bytes", reply(many, 30, 1400), 18)
	check("fewer", reply(many, 10, 1400), 0)
	check("a clean end", reply(many, 3, 1400, TH_ACK + TH_FIN), 3)
	check("an argument", reply({ in_pkts = "40", bytes = "3000" }, 10, 1400), 3)
	check("not known what is queued: the failure detectors come first", reply({}, 10, 1400), 2)
	check("queueing ends", reply({ in_pkts = "6" }, 10, 1400), 5)
	local _, c = reply(many, 1, 100, TH_ACK + TH_FIN)
	check("reply and end in one", detect("success_bytes", c, "out", {}, many), true)
end

do -- udp answers that are not queued are no failure for learn
	local function answers(arg)
		local c = connection("a.example", true)
		for _ = 1, 5 do show(c, "out", { payload = "data" }, arg) end
		return c.lua_state.learn.result
	end
	check("udp, not known what is queued", answers({ key = "u" }), nil)
	check("udp, known", answers({ key = "u", in_pkts = "10" }), "failure")
	in_pkts_udp = 10
	check("told by a global", answers({ key = "u" }), "failure")
	in_pkts_udp = nil
end

-- --- scripts that keep circular's choices by themselves, as they are found in the field: they replace globals
do
	local kept = {}
	local original_check, original_record = automate_failure_check, automate_host_record
	automate_host_record = function(desync)
		local hrec = original_record(desync)
		local name = desync.track.hostname
		if hrec and not hrec.nstrategy and kept[name] then hrec.nstrategy = kept[name] end
		if hrec then hrec.kept_name = name end
		return hrec
	end
	automate_failure_check = function(desync, hrec, crec)
		local rotate = original_check(desync, hrec, crec)
		if rotate then kept[hrec.kept_name] = hrec.nstrategy % hrec.ctstrategy + 1 end
		return rotate
	end
	local arg = { key = "wrapped", fails = "1" }
	local function run(c, p)
		local desync = table_of(c, "out", p, copy(arg))
		desync.plan = plan_of(3)
		ran = {}
		circular(nil, desync)
		return table.concat(ran, ",")
	end
	local c = connection("w.example")
	for _ = 1, 4 do run(c, HELLO) end
	check("a wrapper keeps what circular finds", kept["w.example"], 2)
	autostate = nil -- a restart
	check("and gives it back", run(connection("w.example"), HELLO), "2")
	automate_failure_check, automate_host_record = original_check, original_record
end

print(("%d passed, %d failed"):format(passed, failed))
if failed > 0 then os.exit(1) end
