-------------------------------------------------------------------------------------------------------------
-- 12. IPv4 id, filters, replay
-------------------------------------------------------------------------------------------------------------

-- Sets the IPv4 id of a dissect, in place.
-- dis          : default desync.dis
-- ipid_options : default desync.arg
-- def          : default mode, itself "seq" by default
-- Group ipid:
--   ip_id=seq|rnd|zero|none (seq): next of a counter that starts with the packet's own id, random, 0, as it is
--   ip_id_conn: keep the counter of seq per connection instead of per packet
function apply_ip_id(desync, dis, ipid_options, def)
	dis = dis or desync.dis
	local ip = dis.ip
	if not ip then return end
	local options = ipid_options or desync.arg
	local mode = options.ip_id or def or "seq"
	if mode == "seq" then
		local counter = options.ip_id_conn and desync.track and desync.track.lua_state or desync
		local id = counter.ip_id or ip.ip_id
		ip.ip_id = id
		counter.ip_id = id + 1
	elseif mode == "zero" then
		ip.ip_id = 0
	elseif mode == "rnd" then
		ip.ip_id = math.random(1, 0xFFFF)
	end
end

-- Does the direction of the packet match the argument dir (default def, then "out")?
-- Group direction:
--   dir=in|out|any (out): direction of the packets to work on
function direction_check(desync, def)
	local dir = desync.arg.dir or def or "out"
	if desync.outgoing then return dir ~= "in" end
	return dir ~= "out"
end

-- Cuts the instance off for the direction that dir=in|out excludes.
function direction_cutoff_opposite(ctx, desync, def)
	local dir = desync.arg.dir or def or "out"
	if dir == "out" then
		instance_cutoff_shim(ctx, desync, false)
	elseif dir == "in" then
		instance_cutoff_shim(ctx, desync, true)
	end
end

-- Does the payload type match the filter (default def, then "known")? Always a boolean.
-- filter : comma separated types, "all", "known" (anything but unknown and empty); a leading "~" negates it
function payload_match_filter(l7payload, filter, def)
	local list = filter or def or "known"
	local negate = list:sub(1, 1) == "~"
	if negate then list = list:sub(2) end
	local match = in_list(list, l7payload)
		or in_list(list, "known") and l7payload ~= "unknown" and l7payload ~= "empty"
		or in_list(list, "all")
	return match ~= negate
end

-- Does the payload of the packet match the argument payload (default def, then "known")?
-- Group payload:
--   payload=<payload types> (known): types to work on, with commas; "all", "known" (neither unknown nor empty);
--       a leading "~" negates the list
function payload_check(desync, def)
	local filter = desync.arg.payload
	local match = payload_match_filter(desync.l7payload, filter, def)
	if not match then
		dlog_format("payload_check: payload '%s' does not pass '%s' filter", desync.l7payload, filter or def or "known")
	end
	return match
end

-- Key of the replay drop flag in track.lua_state.
function replay_drop_key(desync)
	return desync.func_instance .. "_replay_drop"
end

-- Remembers that the remaining pieces of this replay are to be dropped (v = true, the default), or forgets it.
function replay_drop_set(desync, v)
	if not desync.track then return end
	if v == nil then v = true end
	if not v then
		desync.track.lua_state[replay_drop_key(desync)] = nil
	elseif desync.replay then
		desync.track.lua_state[replay_drop_key(desync)] = true
	end
end

-- Must this piece of the replay be dropped? Forgets the flag with the last piece, or if this is no replay.
function replay_drop(desync)
	if not desync.track then return false end
	local state, key = desync.track.lua_state, replay_drop_key(desync)
	local drop = desync.replay and state[key] or false
	if not desync.replay or desync.replay_piece_last then state[key] = nil end
	if drop then DLOG("dropping replay packet because reasm was already sent") end
	return drop
end

-- True for the first piece of a replay, and for packets outside of a replay.
function replay_first(desync)
	return not desync.replay or desync.replay_piece == 1
end
