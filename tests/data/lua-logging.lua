-- A script that replaces DLOG hears what all libraries log, also while debugging is off: docs/contracts/libraries.md.
-- Load after zapret-lib.lua, zapret-antidpi.lua, zapret-auto.lua and zapret-obfs.lua.
-- Prints one line per text that was not heard, and finally "N passed, M failed".

local heard = {}
local passed, failed = 0, 0

local function desync_table(arg)
	local tcp = { th_sport = 1, th_dport = 2, th_seq = 1, th_ack = 1, th_flags = TH_SYN + TH_ACK, th_win = 100, options = {} }
	return {
		func = "f", func_n = 1, func_instance = "f_1_1", arg = arg, outgoing = true, l7payload = "tls_client_hello",
		l7proto = "tls", tcp_mss = 1000, reasm_offset = 0, target = {},
		dis = { ip = { ip_p = IPPROTO_TCP, ip_ttl = 64, ip_id = 1 }, tcp = tcp, payload = "data" },
		track = { lua_state = {}, pos = { direct = { pcounter = 1, tcp = { rseq = 1, pos = 1 } }, reverse = {} } },
	}
end

-- Each calls a function of the library; the text is to be heard.
local cases = {
	{ "zapret-lib", "wsize_rewrite: window size 100 => 5", function()
		wsize_rewrite(desync_table({}).dis, { wsize = "5" })
	end },
	{ "zapret-lib", "instance_cutoff_shim: cutoff 'f_1_1' in=true out=false", function()
		instance_cutoff_shim(nil, desync_table({}), false)
	end },
	{ "zapret-lib", "payload_check: payload 'tls_client_hello' does not pass 'http_req' filter", function()
		payload_check(desync_table({ payload = "http_req" }))
	end },
	{ "zapret-antidpi", "synack_split: mode syn", function()
		synack_split(nil, desync_table({ mode = "syn" }))
	end },
	{ "zapret-antidpi", "multisplit: positions 4 seqovl 0", function()
		multisplit(nil, desync_table({ pos = "3" }))
	end },
	{ "zapret-auto", "automate: failure counter 1/3", function()
		automate_failure_counter({}, {}, 3, 60)
	end },
	{ "zapret-auto", "repeater: round 1/1", function()
		local desync = desync_table({ repeats = "1" })
		desync.plan = { { func = "pass", func_n = 2, func_instance = "pass_1_2", arg = {}, payload_filter = "all",
			range = { from = { mode = "a", pos = 0 }, to = { mode = "a", pos = 0 } } } }
		repeater(nil, desync)
	end },
	{ "zapret-obfs", "ippxor: 6 => 7", function()
		ippxor(nil, desync_table({ ippxor = "1" }))
	end },
}

local native_dlog, native_rawsend = DLOG, rawsend_dissect
DLOG = function(text) heard[text] = true end
rawsend_dissect = function() return true end
for _, case in ipairs(cases) do
	local library, text, run = case[1], case[2], case[3]
	run()
	if heard[text] then
		passed = passed + 1
	else
		failed = failed + 1
		print("FAIL " .. library .. ": not heard: " .. text)
	end
end
DLOG, rawsend_dissect = native_dlog, native_rawsend

print(passed .. " passed, " .. failed .. " failed")
