-------------------------------------------------------------------------------------------------------------
-- 2. Desync functions (--lua-desync=NAME). All take (ctx, desync) and return nothing (= VERDICT_PASS)
--    unless noted.
-------------------------------------------------------------------------------------------------------------

-- Source text each "<func_instance>_code" global was compiled from.
local luaexec_source = {}

-- Makes `outer` the global `desync` again. Passes the results of pcall on, or its error.
local function leave_luaexec(outer, ok, ...)
	_G.desync = outer
	if not ok then error((...), 0) end
	return ...
end

-- Runs Lua code, which sees the current table as the global `desync`. Returns what the code returns: its verdict.
-- Arguments:
--   code=<Lua source> (required): compiled once and kept in the global "<func_instance>_code"
function luaexec(ctx, desync)
	local code = desync.arg.code
	if not code then error("luaexec: no 'code' parameter") end

	local name = desync.func_instance .. "_code"
	if not _G[name] or (luaexec_source[name] or code) ~= code then
		local chunk, syntax_error = load(code, name)
		if not chunk then error(syntax_error, 0) end
		_G[name] = chunk
		luaexec_source[name] = code
	end

	local outer = _G.desync
	_G.desync = desync
	return leave_luaexec(outer, pcall(_G[name]))
end

-- Does nothing.
function pass(ctx, desync)
	DLOG("pass")
end

if takes_merged then takes_merged(pass) end

-- Logs the whole desync table.
function pktdebug(ctx, desync)
	DLOG("desync:")
	var_debug(desync)
end

-- Logs the arguments.
function argdebug(ctx, desync)
	var_debug(desync.arg)
end

local function counters_str(desync, reverse)
	local fields = {}
	for i, mode in ipairs { "n", "d", "b", "s", "p" } do
		fields[i] = mode .. pos_get(desync, mode, reverse)
	end
	return table.concat(fields, " ")
end

-- Logs the position counters of both directions and the sizes of the data at hand, in one line.
function posdebug(ctx, desync)
	if not desync.track then
		DLOG("posdebug: no track")
		return
	end
	local line = {
		"posdebug:", desync.outgoing and "out" or "in",
		"time", "+" .. desync.track.pos.dt .. "s",
		"direct", counters_str(desync, false),
		"reverse", counters_str(desync, true),
		"payload", #desync.dis.payload,
	}
	local function add(name, value)
		line[#line + 1] = name
		line[#line + 1] = value
	end
	if desync.reasm_data then add("reasm", #desync.reasm_data) end
	if desync.decrypt_data then add("decrypt", #desync.decrypt_data) end
	if desync.replay_piece_count then add("replay", desync.replay_piece .. "/" .. desync.replay_piece_count) end
	DLOG(table.concat(line, " "))
end

-- Sets desync.l7payload for the following Lua functions, depending on whether a literal text is in the data
-- (the reassembled message if there is one, else the packet payload).
-- Arguments:
--   pattern=<text> (required): text to search
--   payload=<payload type>: new type if it is found
--   undetected=<payload type>: new type if it is not found
function detect_payload_str(ctx, desync)
	local arg = desync.arg
	if not arg.pattern then error("detect_payload_str: missing 'pattern'") end

	local data = desync.reasm_data or desync.dis.payload
	local found = data:find(arg.pattern, 1, true) ~= nil
	dlog_format("detect_payload_str: %s '%s'", found and "detected" or "not detected", arg.payload or "?")
	desync.l7payload = (found and arg.payload or not found and arg.undetected) or desync.l7payload
end

-- Smallest useful orchestrator: takes the following instances over and runs them unchanged.
-- Returns their aggregated verdict.
function desync_orchestrator_example(ctx, desync)
	DLOG("orchestrator: taking over upcoming desync instances")
	orchestrate(ctx, desync)
	return replay_execution_plan(desync)
end
