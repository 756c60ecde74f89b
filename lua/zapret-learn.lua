-- learn: an orchestrator that remembers which strategy works for which host, over restarts too; and detectors, which
-- circular takes as well. Load after zapret-auto.lua.
--
-- Records, in the store "learn", shared by all workers. With --state-dir they are the file learn.tsv, which a person may
-- edit. KEY is that of the instance, HOST that of the host or its group:
--   KEY/HOST   : cur  strategy in force          pin   strategy somebody wants, whatever happens
--                changed, used  when             why   how cur was found, until it succeeds
--   KEY/HOST/N : of strategy N with this host: ok, bad (successes, failures), last_ok, last_bad (when),
--                since (how far the counts reach back), recent (failures since the last success, while they count)
--   KEY/*/N    : the sums of all hosts
-- Times are seconds since 1970.
--
-- State of a flow:
--   track.lua_state.learn : host, strategy, why, result; the program reads these for --trace and others

-------------------------------------------------------------------------------------------------------------
-- Records
-------------------------------------------------------------------------------------------------------------

local DAY = 86400
local FADING = 7 * DAY -- counts older than `memory` are halved that often

-- The store is made when it is needed.
local STORE = "learn"
local learn_store

local function all_records()
	if not learn_store then
		local reason
		learn_store, reason = store(STORE)
		if not learn_store then error("learn: " .. reason) end
	end
	return learn_store
end

local function not_kept(key, reason)
	dlog_format("learn: '%s' is not kept: %s", key, reason)
end

local function save(key, fields)
	local ok, reason = all_records():set(key, fields)
	if not ok then not_kept(key, reason) end
end

-- The time in milliseconds, so that a person can read it in a file.
local function time_stamp()
	return math.floor(clock_getfloattime() * 1000) / 1000
end

-- A time of a record; nil if it is none, or one that has not come: the clock was set back since, or somebody wrote it.
local function past_time(value, now)
	local time = tonumber(value)
	return time and time <= now and time or nil
end

local COUNT_MAX = 1e12

local function count_of(value)
	local count = tonumber(value)
	return count and count >= 0 and count <= COUNT_MAX and count or 0
end

-- A record of counts, older counts faded. Never nil.
local function counts_of(key, now, memory)
	local counts = all_records():get(key) or {}
	local ok, bad, since = count_of(counts.ok), count_of(counts.bad), past_time(counts.since, now) or now
	if now - since >= memory then
		local weeks = math.floor((now - since - memory) / FADING) + 1
		ok, bad, since = ok * 0.5 ^ weeks, bad * 0.5 ^ weeks, since + weeks * FADING
	end
	counts.ok, counts.bad, counts.since = ok, bad, since
	counts.last_ok, counts.last_bad = past_time(counts.last_ok, now), past_time(counts.last_bad, now)
	return counts
end

-- Higher is better. One that was tried little is given a chance.
local function score_of(counts)
	local tries = counts.ok + counts.bad
	return (counts.ok + 1) / (tries + 2) + 0.1 / (tries + 1)
end

-- When the strategy failed last, unless it succeeded since.
local function failed_at(counts)
	local bad = counts.last_bad
	return bad and bad >= (counts.last_ok or 0) and bad or nil
end


-------------------------------------------------------------------------------------------------------------
-- Whose records
-------------------------------------------------------------------------------------------------------------

local BYTE_ORDER_MARK = "^\239\187\191"

-- What `take` makes of the lines of a file that an argument names, which is read once; an error is said once.
-- cache : table by file
-- take  : function(result, line)
local function read_lines(cache, desync, argument, take)
	local file = desync.arg[argument]
	local result = cache[file]
	if result then return result end
	result = {}
	cache[file] = result
	local read, text = pcall(z_readfile, file)
	if not read or not text then
		DLOG_ERR(("%s: cannot read %s=%s: %s"):format(desync.func_instance, argument, file,
			tostring(text or "the compressed file is damaged")))
		return result
	end
	for line in text:gsub(BYTE_ORDER_MARK, ""):gmatch("[^\r\n]+") do take(result, line) end
	return result
end

-- Suffix -> name of the group, by file.
local groups_by_file = {}

local function read_groups(desync)
	return read_lines(groups_by_file, desync, "groups", function(groups, line)
		local suffix, name = line:match("^%s*%.?([^%s#]+)%s*([^%s#]*)")
		if suffix then groups[suffix:lower()] = (name ~= "" and name or suffix):lower() end
	end)
end

-- The group of the longest suffix of the name, else the name.
local function group_of(host, desync)
	local groups = read_groups(desync)
	local suffix = host
	while suffix do
		if groups[suffix] then return groups[suffix] end
		suffix = suffix:match("%.(.+)$")
	end
	return host
end

local KEY_PART_MAX = 110

-- A part of a key: what would look like another part is replaced.
local function key_part(text)
	return text:sub(-KEY_PART_MAX):gsub("[/*%c ]", "_")
end

-- Key and host of the packet's records; nil if the host has no key.
local function record_names(desync)
	local key, host = automate_host_key(desync)
	if not key then return nil end
	host = tostring(host):gsub("%.$", "") -- a name may end with the root of all names
	if desync.arg.groups then host = group_of(host, desync) end
	return key_part(key), key_part(host)
end


-------------------------------------------------------------------------------------------------------------
-- Choice
-------------------------------------------------------------------------------------------------------------

-- Host -> strategy that the next flow is to try, by this worker.
local explorations, exploration_count = {}, 0
local EXPLORATIONS_MAX = 1000

-- The strategy of this number, if there is one.
local function valid_strategy(value, flow, lowest)
	local n = tonumber(value)
	return n and n >= lowest and n <= flow.count and n == math.floor(n) and n or nil
end

-- The strategy with the highest score that has not failed here lately; else the one that failed first.
-- but : another one, if there is one
local function best_strategy(flow, now, but)
	local settings = flow.settings
	local best, best_score, oldest, oldest_failure
	for n = settings.lowest, flow.count do
		local failure = failed_at(counts_of(flow.id .. "/" .. n, now, settings.memory))
		if n == but or failure and now - failure < settings.retry then
			failure = failure or now
			if not oldest_failure or failure < oldest_failure then oldest, oldest_failure = n, failure end
		else
			local score = score_of(counts_of(flow.key .. "/*/" .. n, now, settings.memory))
			if not best_score or score > best_score then best, best_score = n, score end
		end
	end
	if best then return best, "best" end
	return oldest, "retry"
end

-- The strategy in force by the record of a host, and the one somebody has pinned; nil for what is none, such as one of a
-- plan that has become shorter.
local function strategies_of(host, flow)
	return valid_strategy(host.cur, flow, flow.settings.lowest), valid_strategy(host.pin, flow, 0)
end

-- Pins without a strategy that somebody was told of.
local told_pins, told_pin_count = {}, 0
local TOLD_PINS_MAX = 100

local function tell_of_pin(flow, pin)
	if told_pins[flow.id] or told_pin_count >= TOLD_PINS_MAX then return end
	told_pins[flow.id], told_pin_count = true, told_pin_count + 1
	DLOG_ERR("learn: '" .. flow.id .. "' is pinned to '" .. tostring(pin) .. "', but strategies are 1 to " .. flow.count)
end

-- Strategy for a flow and why, by the record of its host; nil if that names none.
local function recorded_strategy(flow)
	local host = all_records():get(flow.id)
	if not host then return nil end
	local current, pin = strategies_of(host, flow)
	if pin then return pin, "pinned" end
	if host.pin then tell_of_pin(flow, host.pin) end
	if not current then return nil end
	local other = explorations[flow.id]
	if other then
		explorations[flow.id] = nil
		exploration_count = exploration_count - 1
		if valid_strategy(other, flow, 1) then return other, "explore" end
	end
	return current, host.why or "current"
end

local function choose(flow, desync)
	flow.key, flow.host = record_names(desync)
	if not flow.key then return false end
	flow.id = flow.key .. "/" .. flow.host
	flow.named = desync.track.hostname ~= nil
	flow.strategy, flow.why = recorded_strategy(flow)
	if not flow.strategy then flow.strategy, flow.why = best_strategy(flow, flow.began) end
	dlog_format("learn: '%s' strategy %s (%s)", flow.id, flow.strategy, flow.why)
	return true
end

-- The name has become known: from now on it is about its records. What has begun goes on as it is.
local function rename(flow, desync)
	flow.named = true
	local key, host = record_names(desync)
	if not key or host == flow.host then return end
	flow.key, flow.host, flow.id = key, host, key .. "/" .. host
	local strategy, why = recorded_strategy(flow)
	if strategy and not flow.acted then flow.strategy, flow.why = strategy, why end
	dlog_format("learn: '%s' strategy %s (%s)", flow.id, flow.strategy, flow.why)
end

local function settings_of(arg)
	return {
		fails = math.min(tonumber(arg.fails) or 3, 16),
		time = tonumber(arg.time) or 60,
		retry = tonumber(arg.retry) or 3600,
		memory = (tonumber(arg.memory) or 14) * DAY,
		explore = tonumber(arg.explore) or 0,
		lowest = arg.none and 0 or 1,
	}
end

-- The detectors. What is cut off later has had its first 4 kB.
local function detectors_of(arg)
	local failure = arg.failure_detector or "learn_failure_detector"
	local success = arg.success_detector or failure:find("detect_cutoff", 1, true) and "success_bytes"
		or "standard_success_detector+success_bytes"
	return automate_detector("failure_detector", failure), automate_detector("success_detector", success)
end

-- The state of the flow for this instance, made with its first packet; nil if the host has no key yet.
local function flow_of(desync)
	local state = desync.track.lua_state
	local flows = state.learn_flows
	if not flows then
		flows = {}
		state.learn_flows = flows
	end
	local flow = flows[desync.func_instance]
	if flow then
		if not flow.named and desync.track.hostname then rename(flow, desync) end
		return flow
	end
	if not automate_strategies then error("learn: zapret-auto.lua is not loaded") end
	flow = { began = time_stamp(), settings = settings_of(desync.arg) }
	flow.count, flow.final = automate_strategies(desync, "learn")
	flow.failure_detector, flow.success_detector = detectors_of(desync.arg)
	if not choose(flow, desync) then return nil end
	flows[desync.func_instance] = flow
	state.learn = flow
	return flow
end


-------------------------------------------------------------------------------------------------------------
-- Results
-------------------------------------------------------------------------------------------------------------

-- Adds a result to the counts of the flow's strategy; returns those for this host, which are still to be saved.
local function count_result(flow, field, now)
	local memory = flow.settings.memory
	local all_key = flow.key .. "/*/" .. flow.strategy
	local all, here = counts_of(all_key, now, memory), counts_of(flow.id .. "/" .. flow.strategy, now, memory)
	all[field], here[field] = all[field] + 1, here[field] + 1
	all["last_" .. field], here["last_" .. field] = now, now
	save(all_key, all)
	return here
end

-- What the flow has to say of its host. A pin that somebody sets meanwhile stays.
local function save_host(flow, fields)
	local done, reason = all_records():merge(flow.id, fields)
	if not done then not_kept(flow.id, reason) end
end

-- Now and then a flow shows whether another strategy that has worked here still does.
local function plan_exploration(flow, now)
	local settings, found = flow.settings, {}
	for n = 1, flow.count do
		local here = counts_of(flow.id .. "/" .. n, now, settings.memory)
		if here.last_bad and now - here.last_bad < 3600 then return end
		if n ~= flow.strategy and here.last_ok then found[#found + 1] = n end
	end
	if #found == 0 or explorations[flow.id] then return end
	if exploration_count >= EXPLORATIONS_MAX then explorations, exploration_count = {}, 0 end
	explorations[flow.id] = found[math.random(#found)]
	exploration_count = exploration_count + 1
end

local function note_success(flow, now)
	local here = count_result(flow, "ok", now)
	here.recent = nil
	save(flow.id .. "/" .. flow.strategy, here)
	local host = all_records():get(flow.id) or {}
	local current = strategies_of(host, flow)
	local unused = now - (past_time(host.used, now) or 0) > DAY
	if current and current ~= flow.strategy then
		if unused then save_host(flow, { used = now }) end
		return
	end
	if not current or host.why or unused then
		save_host(flow, { cur = not current and flow.strategy or nil, changed = not current and flow.began or nil,
			why = false, used = now })
	end
	local explore = flow.settings.explore
	if explore > 0 and flow.strategy ~= flow.final and math.random() < explore then plan_exploration(flow, now) end
end

-- The failures of `recent` that still count, with this one; how many.
local function recent_failures(recent, now, oldest)
	local list = {}
	for stamp in tostring(recent or ""):gmatch("%S+") do
		local at = tonumber(stamp)
		if at and at >= oldest and at <= now then list[#list + 1] = stamp end
	end
	while #list > 15 do table.remove(list, 1) end
	list[#list + 1] = ("%.3f"):format(now)
	return table.concat(list, " "), #list
end

local function note_failure(flow, now)
	local settings = flow.settings
	local here = count_result(flow, "bad", now)
	local host = all_records():get(flow.id) or {}
	local current, pin = strategies_of(host, flow)
	local changed = current and (past_time(host.changed, now) or 0) or flow.began
	-- Flows that began before the last change say nothing of what is in force since, and those that began before the last
	-- success are the losses of a strategy that works.
	local counts = (current or flow.strategy) == flow.strategy and flow.began >= changed
		and flow.began >= (here.last_ok or 0)
	local failures = 0
	if counts then
		here.recent, failures = recent_failures(here.recent, now, math.max(now - settings.time, changed))
	end
	save(flow.id .. "/" .. flow.strategy, here)
	local limit = here.last_ok and settings.fails or math.ceil(settings.fails / 2)
	dlog_format("learn: '%s' strategy %s failure %s/%s", flow.id, flow.strategy, failures, limit)
	if counts and failures >= limit and flow.strategy ~= flow.final and not pin then
		local strategy, why = best_strategy(flow, now, flow.strategy)
		dlog_format("learn: '%s' strategy %s from now on (%s)", flow.id, strategy, why)
		save_host(flow, { cur = strategy, why = why, changed = now, used = now })
	elseif not current then
		save_host(flow, { cur = flow.strategy, changed = flow.began, used = now })
	elseif not host.used then
		save_host(flow, { used = now })
	end
end

-- Notes the result of a flow, once.
-- result : "success" or "failure"
function learn_result(flow, result)
	if flow.result then return end
	flow.result = result
	dlog_format("learn: '%s' strategy %s %s", flow.id, flow.strategy, result)
	if result == "success" then
		note_success(flow, time_stamp())
	else
		note_failure(flow, time_stamp())
	end
end

local function judge(flow, desync)
	local result = automate_result(desync, flow)
	if result then
		learn_result(flow, result)
	elseif flow.due and not flow.watched then
		automate_watch(flow, function() learn_result(flow, "failure") end)
	end
end


-------------------------------------------------------------------------------------------------------------
-- learn
-------------------------------------------------------------------------------------------------------------

-- Runs the instances that are due: those of the strategy, and those of none. Notes whether anything came of the former.
local function run_plan(desync, flow)
	local strategy = flow and flow.strategy
	local watching = flow and not flow.named
	local verdict = VERDICT_PASS
	local instance = plan_instance_pop(desync)
	while instance do
		local number = instance.arg.strategy
		if not number then
			verdict = plan_instance_execute(desync, verdict, instance)
		elseif tonumber(number) == strategy then
			local sent = watching and packets_sent()
			local before = verdict
			verdict = plan_instance_execute(desync, verdict, instance)
			if watching and (verdict ~= before or packets_sent() ~= sent) then flow.acted = true end
		end
		instance = plan_instance_pop(desync)
	end
	return verdict
end

-- Chooses the strategy that has worked for the host, else the one that works for most, and remembers how flows end. What
-- is learned is kept in the store "learn", over restarts with --state-dir.
-- Arguments: host record, host key, result check, detectors, further detectors
--   groups=<file>: lines "suffix [name]": hosts below a suffix share a record
--   fails=<number> (3): failed connections after which another strategy is taken, without a success between them; half
--     of them, rounded up, if the strategy never succeeded with this host. At most 16
--   time=<seconds> (60): older failures are forgotten
--   retry=<seconds> (3600): a strategy that failed with this host rests that long
--   memory=<days> (14): older successes and failures count half after each 7 days
--   explore=<probability> (0): how often a success is followed by a flow with another strategy that has worked here
--   none: strategy 0, which is nothing, is one to choose
-- Instances carry:
--   strategy=<number>: number of the strategy the instance belongs to, from 1 without gaps. Without it it always runs
--   final: no change from this strategy on
-- If no success_detector is named it is standard_success_detector+success_bytes, beside detect_cutoff success_bytes alone.
-- Needs conntrack: without it, or without a host key, only instances without a number run.
-- Verdict: that of the instances run.
function learn(ctx, desync)
	orchestrate(ctx, desync)
	if not desync.track then
		DLOG_ERR("learn: conntrack is missing but required")
		return run_plan(desync)
	end
	local flow = flow_of(desync)
	if not flow then
		DLOG("learn: no host yet")
		return run_plan(desync)
	end
	if not flow.nocheck then judge(flow, desync) end
	return run_plan(desync, flow)
end


-------------------------------------------------------------------------------------------------------------
-- Detectors: f(desync, crec) -> bool. What does not come is evidence only where it would have been seen
-------------------------------------------------------------------------------------------------------------

local SECONDS_OF_A_BURST = 1
local SECONDS_OF_CUTOFF = 5
local REPEATS_OF_CUTOFF = 3
local BLOCKPAGE_SEARCHED = 2048

-- How many incoming packets of a connection the firewall rules queue, as far as somebody has told; 0 = not known.
local function queued_packets(desync)
	local told = desync.arg.in_pkts or desync.dis.tcp and in_pkts_tcp or desync.dis.udp and in_pkts_udp
	return told == "all" and math.huge or tonumber(told) or 0
end

local function number_of(arg, name, default)
	return tonumber(arg[name]) or default
end

-- Returns the arguments of the detectors of this file with defaults filled in, once for a connection.
-- Group further detectors:
--   in_pkts=<number|all> (globals in_pkts_tcp, in_pkts_udp): incoming packets of a connection that the rules queue; without
--     it nobody judges by what does not come
--   out=<number> (4): detect_silence: data packets without a reply
--   for=<seconds> (8): detect_silence: or that long since the first
--   from=<bytes> (12288): detect_cutoff: the reply ends behind
--   to=<bytes> (24576): detect_cutoff: and not behind
--   patterns=<file>: detect_blockpage: lines with texts of such pages, instead of those it knows
--   bytes=<number> (24576): success_bytes: bytes of the reply that are a success
function further_detector_limits(desync, crec)
	local limits = crec.limits
	if limits and limits.instance == desync.func_instance then return limits end
	local arg = desync.arg
	limits = {
		instance = desync.func_instance,
		in_pkts = queued_packets(desync),
		out = number_of(arg, "out", 4),
		silence = number_of(arg, "for", 8),
		from = number_of(arg, "from", 12288),
		to = number_of(arg, "to", 24576),
		bytes = number_of(arg, "bytes", 24576),
		patterns = arg.patterns,
	}
	crec.limits = limits
	return limits
end

-- Counters of the side that replies.
local function replies_of(desync)
	local pos = desync.track.pos
	if desync.outgoing then return pos.reverse end
	return pos.direct
end

-- Would the next reply be seen? It would if none was queued without being shown to us, and the rules still queue them.
local function replies_are_visible(desync, crec, limits)
	local count = replies_of(desync).pcounter
	if not desync.outgoing and count > (crec.last_in or 0) then crec.last_in = count end
	return count < limits.in_pkts and count == (crec.last_in or 0) and (count > 0 or desync.dis.udp ~= nil)
end

local function has_flag(desync, flags)
	local tcp = desync.dis.tcp
	return tcp ~= nil and bitand(tcp.th_flags, flags) ~= 0
end

-- One detector at a time waits.
local function wait(crec, who, until_when)
	crec.due, crec.due_of = until_when, who
end

local function wait_no_more(crec, who)
	if crec.due_of == who then crec.due, crec.due_of = nil, nil end
end

-- Has the client acknowledged the reply up to there (relative to its first sequence number)?
local function acknowledges(desync, position)
	local seq0 = replies_of(desync).tcp.seq0
	return has_flag(desync, TH_ACK) and desync.dis.tcp.th_ack == u32add(seq0, position)
end

-- True if no data comes in reply: after so many data packets, not all in a burst, or so many seconds.
function detect_silence(desync, crec)
	if not desync.track or not (desync.dis.tcp or desync.dis.udp) then return false end
	local limits = further_detector_limits(desync, crec)
	local visible = replies_are_visible(desync, crec, limits)
	local answered = replies_of(desync).pdcounter > 0
		or desync.outgoing and desync.dis.tcp and not acknowledges(desync, 1)
	if not visible or answered or has_flag(desync, TH_FIN + TH_RST) then
		wait_no_more(crec, "silence")
		return false
	end
	if not desync.outgoing or #desync.dis.payload == 0 then return false end
	local now = clock_getfloattime()
	if not crec.first_payload then
		crec.first_payload = now
		wait(crec, "silence", now + limits.silence)
		return false
	end
	local sent = pos_get(desync, "d")
	local silent = sent >= limits.out and now - crec.first_payload >= SECONDS_OF_A_BURST
	if silent then dlog_format("detect_silence: %s data packets without a reply", sent) end
	return silent
end

-- True for a fatal alert in place of the server's hello.
function detect_tls_alert(desync, crec)
	if desync.outgoing or not desync.dis.tcp or pos_get(desync, "s") ~= 1 then return false end
	local content, version, _, _, _, level, description = desync.dis.payload:byte(1, 7)
	local fatal = content == TLS_RECORD_TYPE_ALERT and version == 3 and level == 2
	if fatal then dlog_format("detect_tls_alert: fatal alert %s", description) end
	return fatal
end

-- What incoming data tell of a reply that is cut off.
local function look_at_reply(desync, crec, limits, received)
	local size = #desync.dis.payload
	if size == 0 then return false end
	if is_retransmission(desync) then
		crec.repeated = (crec.repeated or 0) + 1
		return received >= limits.from and crec.repeated >= REPEATS_OF_CUTOFF
	end
	crec.repeated = 0
	crec.largest = math.max(crec.largest or 0, size)
	-- The last piece of a whole reply is seldom as large as the others.
	crec.cut_at = received >= limits.from and size == crec.largest and received + 1 or nil
	wait_no_more(crec, "cutoff")
	return false
end

-- True if the reply ends between two sizes: the server repeats itself, or nothing comes for 5 seconds though the client
-- has acknowledged all and more was to come.
function detect_cutoff(desync, crec)
	if not desync.track or not desync.dis.tcp then return false end
	local limits = further_detector_limits(desync, crec)
	local reply = replies_of(desync).tcp
	local received = reply and reply.uppos - 1 or 0
	if not replies_are_visible(desync, crec, limits) or received > limits.to or has_flag(desync, TH_FIN + TH_RST) then
		wait_no_more(crec, "cutoff")
		return false
	end
	if not desync.outgoing then
		local cut = look_at_reply(desync, crec, limits, received)
		if cut then dlog_format("detect_cutoff: the server repeats itself at byte %s", received) end
		return cut
	end
	if #desync.dis.payload > 0 then
		crec.cut_at = nil
		wait_no_more(crec, "cutoff")
	elseif crec.cut_at and not crec.due and acknowledges(desync, crec.cut_at) then
		wait(crec, "cutoff", clock_getfloattime() + SECONDS_OF_CUTOFF)
	end
	return false
end

-- Lower case. Cyrillic ones without their first letter, which may be a capital.
local blockpage_texts = {
	"rkn.gov.ru", "оступ к ресурсу ограничен", "оступ к запрашиваемому ресурсу", "оступ к сайту ограничен",
	"оступ ограничен по решению", "аблокирован по решению", "есурс заблокирован", "blocked by order of",
	"access to this site has been blocked", "access to this resource is restricted", "this site has been blocked",
}

local blockpage_texts_by_file = {}

local function read_blockpage_texts(desync)
	return read_lines(blockpage_texts_by_file, desync, "patterns", function(texts, line)
		if not line:find("^#") then texts[#texts + 1] = line:lower() end
	end)
end

-- True if the first packet of an HTTP reply is a provider's page: a redirect to another second level domain, status 451,
-- a text of such pages in its first 2048 bytes.
function detect_blockpage(desync, crec)
	local track, payload = desync.track, desync.dis.payload
	if desync.outgoing or desync.l7payload ~= "http_reply" or not track then return false end
	local reply = http_dissect_reply(payload)
	if reply and reply.code == 451 then
		DLOG("detect_blockpage: status 451")
		return true
	end
	local _, location = http_redirect(reply)
	if location and track.hostname and is_dpi_redirect(track.hostname, location) then
		dlog_format("detect_blockpage: redirect to '%s'", location)
		return true
	end
	local patterns = further_detector_limits(desync, crec).patterns
	local texts = patterns and read_blockpage_texts(desync) or blockpage_texts
	local searched = payload:sub(1, BLOCKPAGE_SEARCHED):lower()
	for i = 1, #texts do
		if searched:find(texts[i], 1, true) then
			dlog_format("detect_blockpage: '%s'", texts[i])
			return true
		end
	end
	return false
end

-- True if so many bytes of reply came, or the server ended the connection after a reply. Where not so many can be seen: if
-- there was a reply and the failure detectors have seen it too.
function success_bytes(desync, crec)
	if not desync.track or not (desync.dis.tcp or desync.dis.udp) then return false end
	local reply = replies_of(desync)
	if desync.outgoing and reply.pdcounter == 0 then return false end
	local limits = further_detector_limits(desync, crec)
	local visible = replies_are_visible(desync, crec, limits)
	if reply.pdcounter == 0 then return false end
	local received = reply.tcp and reply.tcp.uppos - 1 or reply.pbcounter
	local ended = crec.ended or not desync.outgoing and has_flag(desync, TH_FIN)
	if received >= limits.bytes or crec.replied and (ended or not visible) then
		dlog_format("success_bytes: %s bytes of reply", received)
		return true
	end
	crec.replied, crec.ended = true, ended
	return false
end

-- The standard failure detector, which learn takes if none is named: it does not judge by answers over UDP that would not
-- be seen.
function learn_failure_detector(desync, crec)
	if desync.dis.udp then
		local limits = further_detector_limits(desync, crec)
		if not desync.track or not replies_are_visible(desync, crec, limits) then return false end
	end
	return standard_failure_detector(desync, crec)
end
