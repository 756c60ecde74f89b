-------------------------------------------------------------------------------------------------------------
-- 4. Positions and ranges
--    mode: n packets, d data packets, b bytes, s relative sequence, p position in the stream, a always, x never
--    range: {from={mode=,pos=}, to={mode=,pos=}, upper_cutoff=bool}
-------------------------------------------------------------------------------------------------------------

local function track_side(desync, reverse)
	local pos = desync.track.pos
	if reverse then return pos.reverse end
	return pos.direct
end

-- True if the sequence counter of the chosen side has passed 2 GB, so modes s and p cannot be trusted.
-- reverse : look at the opposite direction
function pos_counter_overflow(desync, mode, reverse)
	if not desync.track or mode ~= "s" and mode ~= "p" then return false end
	local tcp = track_side(desync, reverse).tcp
	return tcp and tcp.rseq_over_2G
end

-- Current value of a counter of one side (track.pos.direct or .reverse); 0 if there is none.
function pos_get_pos(track_pos, mode)
	if track_pos then
		if mode == "n" then return track_pos.pcounter end
		if mode == "d" then return track_pos.pdcounter end
		if mode == "b" then return track_pos.pbcounter end
		local tcp = track_pos.tcp
		if tcp then
			if mode == "s" then return tcp.rseq end
			if mode == "p" then return tcp.pos end
		end
	end
	return 0
end

-- Current value of a counter of this packet's direction, or of the reverse one; 0 without conntrack.
function pos_get(desync, mode, reverse)
	return pos_get_pos(desync.track and track_side(desync, reverse), mode)
end

-- Verdict on one end of a range that needs no comparison: true, false, or nil if the counter decides.
local function pos_check_trivial(desync, mode)
	if mode == "x" or pos_counter_overflow(desync, mode) then return false end
	if mode == "a" then return true end
	if not desync.track then return false end
end

-- Has the lower end of the range been reached?
function pos_check_from(desync, range)
	local from = range.from
	local trivial = pos_check_trivial(desync, from.mode)
	if trivial ~= nil then return trivial end
	return pos_get(desync, from.mode) >= from.pos
end

-- Is the upper end of the range not passed yet? With upper_cutoff the end itself is outside.
function pos_check_to(desync, range)
	local to = range.to
	local trivial = pos_check_trivial(desync, to.mode)
	if trivial ~= nil then return trivial end
	local pos = pos_get(desync, to.mode)
	return pos < to.pos or pos == to.pos and not range.upper_cutoff
end

-- Is the packet inside the range?
function pos_check_range(desync, range)
	return pos_check_from(desync, range) and pos_check_to(desync, range)
end

-- Text of a range, e.g. "n2-s100", or "n2<s100" with upper_cutoff.
function pos_range_str(range)
	local from, to = range.from, range.to
	return from.mode .. from.pos .. (range.upper_cutoff and "<" or "-") .. to.mode .. to.pos
end

-- Text of the current value of the counter that a range end {mode=} refers to, e.g. "n3".
function pos_str(desync, pos)
	return pos.mode .. pos_get(desync, pos.mode)
end
