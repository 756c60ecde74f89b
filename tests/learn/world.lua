-- A world without a network for orchestrators: boxes that fall for some strategies, hosts behind them, browsers that open
-- pages. Run by world.py, which sets WORLD: orchestrator, arguments, seed, groups, phase.
--
-- A connection is a SYN, a ClientHello, and then either data in reply or the ClientHello again, three times. The
-- orchestrator sees the packets as tables; which instance it runs for the ClientHello decides what the box does.

local STRATEGIES, KINDS, FALLS_FOR, GROUPS, HOSTS, PARALLEL, LOSS = 20, 4, 3, 3, 300, 6, 0.02

-- --- chance and time

local state = WORLD.seed * 2654435761 % 4294967296

local function chance()
	state = (state * 1103515245 + 12345) % 2147483648
	return math.floor(state / 128) / 16777216
end

local function one_of(n)
	return math.floor(chance() * n) + 1
end

for _ = 1, 10 do chance() end

local now = WORLD.begin or 1800000000

function clock_getfloattime()
	return now
end

function os.time()
	return math.floor(now)
end

-- --- boxes

local boxes = {} -- kind -> set of strategies
for kind = 1, KINDS do
	boxes[kind] = {}
	local count = 0
	while count < FALLS_FOR do
		local n = one_of(STRATEGIES)
		if not boxes[kind][n] then
			boxes[kind][n] = true
			count = count + 1
		end
	end
end

local kind_of_group = {}
for group = 1, GROUPS do
	kind_of_group[group] = group
end

local function group_of(host)
	return host % GROUPS + 1
end

local function name_of(host)
	return ("h%d.group%d.example"):format(host, group_of(host))
end

-- --- packets

local ALWAYS = { from = { mode = "a", pos = 0 }, to = { mode = "a", pos = 0 }, upper_cutoff = false }

local used -- strategy that was run last

function world_strategy(_, desync)
	used = tonumber(desync.arg.strategy)
end

local instances = {}
for n = 1, STRATEGIES do
	instances[n] = { func = "world_strategy", func_n = n + 1, func_instance = "world_strategy_1_" .. n + 1,
		arg = { strategy = tostring(n) }, payload_filter = "all", range = ALWAYS }
end

local function side(packets, data, seq, pos, uppos, uppos_prev)
	return { pcounter = packets, pdcounter = data, pbcounter = pos,
		tcp = { seq0 = 1000, rseq = seq, pos = pos, uppos = uppos or pos, uppos_prev = uppos_prev or 0 } }
end

-- What the orchestrator makes of a packet: the strategy it ran, if any.
local function show(connection, outgoing, flags, payload, direct, reverse)
	local plan, arg = {}, {}
	for i = 1, STRATEGIES do
		plan[i] = instances[i]
	end
	for name, value in pairs(WORLD.arguments) do
		arg[name] = value
	end
	used = nil
	_G[WORLD.orchestrator](nil, {
		plan = plan, arg = arg, func = WORLD.orchestrator, func_n = 1, func_instance = WORLD.orchestrator .. "_1_1",
		outgoing = outgoing, l7payload = payload ~= "" and "tls_client_hello" or "empty",
		target = { ip = "\10\0\0\1", port = 443 },
		dis = { ip = {}, tcp = { th_flags = flags, th_ack = 1001 }, payload = payload },
		track = { lua_state = connection.lua_state, hostname = connection.name,
			pos = { direct = direct, reverse = reverse } },
	})
	return used
end

local HELLO = ("h"):rep(500)

local function syn(connection)
	show(connection, true, TH_SYN, "", side(1, 0, 0, 1), side(0, 0, 0, 0))
end

local function hello(connection)
	connection.name = name_of(connection.host)
	local strategy = show(connection, true, TH_ACK, HELLO, side(2, 1, 1, 501), side(1, 0, 0, 1))
	connection.works = boxes[kind_of_group[group_of(connection.host)]][strategy] and chance() >= LOSS
end

local function go_on(connection, round)
	if connection.works then
		if round == 1 then
			show(connection, false, TH_ACK, ("r"):rep(1400), side(7, 6, 7001, 8401), side(2, 1, 1, 501))
		end
	else
		show(connection, true, TH_ACK, HELLO, side(2 + round, 1 + round, 1, 501, 501, 501), side(1, 0, 0, 1))
	end
end

-- A page is a number of connections at once. True if half of them went through.
local function open_page(host)
	local connections = {}
	for i = 1, PARALLEL do
		connections[i] = { host = host, lua_state = {} }
	end
	for i = 1, PARALLEL do syn(connections[i]) end
	now = now + 0.05
	for i = 1, PARALLEL do hello(connections[i]) end
	for round = 1, 3 do
		now = now + round
		for i = 1, PARALLEL do
			now = now + 0.001
			go_on(connections[i], round)
		end
	end
	local worked = 0
	for i = 1, PARALLEL do
		if connections[i].works then worked = worked + 1 end
	end
	now = now + 5
	return worked * 2 >= PARALLEL
end

-- How many pages fail before one opens.
local function failed_pages(host)
	for failures = 0, 200 do
		if open_page(host) then return failures end
	end
	return 201
end

local function say(what, value)
	print(("%s=%g"):format(what, value))
end

-- --- what is measured

local function mean_of_hosts(first, last)
	local sum = 0
	for host = first, last do
		sum = sum + failed_pages(host)
	end
	return sum / (last - first + 1)
end

local KNOWN, NEW = 50, 100

-- The box of the first group changes, again and again, with some days between.
local function change_boxes()
	local sum = 0
	for i = 1, KINDS - 1 do
		now = now + 2 * 86400
		kind_of_group[1] = kind_of_group[1] % KINDS + 1
		sum = sum + failed_pages(i * GROUPS)
	end
	return sum / (KINDS - 1)
end

if WORLD.phase == "restarted" then
	say("restarted", mean_of_hosts(1, KNOWN))
	say("changed", change_boxes())
	return
end

say("first", mean_of_hosts(1, KNOWN))
say("new", mean_of_hosts(KNOWN + 1, NEW))

-- A host that works, for long.
local changes, last = 0, nil
for _ = 1, 1000 do
	open_page(1)
	local connection = { host = 1, lua_state = {} }
	hello(connection)
	if last and used ~= last then changes = changes + 1 end
	last = used
	connection.works = true
	go_on(connection, 1)
end
say("changes", changes)

for host = NEW + 1, HOSTS do
	failed_pages(host)
end
