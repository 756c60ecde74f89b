-------------------------------------------------------------------------------------------------------------
-- 14. Sending
-------------------------------------------------------------------------------------------------------------

-- Sends a dissect, as IP fragments if wanted. Returns true if all was sent; stops at the first failure.
-- options.rawsend     : options of rawsend (repeats count for each fragment)
-- options.reconstruct : options of reconstruction
-- options.ipfrag      : ipfrag and ipfrag_disorder; other options as the function needs
-- Group ipfrag:
--   ipfrag[=<function>] (ipfrag2): send IP fragments, made by global function f(dis, options.ipfrag)
--   ipfrag_disorder: last fragment first
--   ipfrag_pos_tcp=<bytes> (32): where ipfrag2 cuts the fragmentable part of TCP, a multiple of 8
--   ipfrag_pos_udp=<bytes> (8): the same for UDP
--   ipfrag_pos_icmp=<bytes> (8): the same for ICMP
--   ipfrag_pos=<bytes> (32): the same for others
--   ipfrag_next=<number>: IPv6: next header value in the second fragment
function rawsend_dissect_ipfrag(dis, options)
	options = options or {}
	local ipfrag = options.ipfrag
	local fragments
	if ipfrag and ipfrag.ipfrag and dis.frag == nil and dis.frag_off == nil then
		local name = ipfrag.ipfrag == "" and "ipfrag2" or ipfrag.ipfrag
		if type(_G[name]) ~= "function" then
			error("rawsend_dissect_ipfrag: ipfrag function '" .. tostring(name) .. "' does not exist")
		end
		fragments = _G[name](dis, ipfrag)
	end
	if not fragments then
		return rawsend_dissect(dis, options.rawsend, options.reconstruct)
	end

	local reconstruct = deepcopy(options.reconstruct) or {}
	reconstruct.ip6_preserve_next = true
	local first, last, step = 1, #fragments, 1
	if ipfrag.ipfrag_disorder then first, last, step = last, first, -1 end
	for i = first, last, step do
		dlog_format("sending ip fragment %d", i)
		if not rawsend_dissect(fragments[i], options.rawsend, reconstruct) then return false end
	end
	return true
end

-- Position where the fragmentable part is to be cut; nil if the packet ends before.
-- repeated_len : length of the headers that every fragment repeats
local function ipfrag_position(dis, options, repeated_len)
	local value
	if dis.tcp then
		value = options.ipfrag_pos_tcp or 32
	elseif dis.udp then
		value = options.ipfrag_pos_udp or 8
	elseif dis.icmp then
		value = options.ipfrag_pos_icmp or 8
	else
		value = options.ipfrag_pos or 32
	end
	local pos = tonumber(value)
	if not pos or pos < 0 then
		error("ipfrag2: invalid frag position '" .. tostring(value) .. "'")
	end
	if pos % 8 ~= 0 then error("ipfrag2: frag position must be multiple of 8") end
	if pos + l3_len(dis) > 65535 then error("ipfrag2: too high frag offset") end
	if pos + repeated_len >= packet_len(dis) then
		dlog_format("ipfrag2: ip frag pos %d exceeds packet length. ipfrag cancelled.", pos)
		return nil
	end
	return pos
end

local function ipfrag2_ip4(dis, options)
	local header_len = l3_len(dis)
	local pos = ipfrag_position(dis, options, header_len)
	if not pos then return nil end
	local id = dis.ip.ip_id
	if id == 0 then id = math.random(1, 0xFFFF) end

	local first = deepcopy(dis)
	first.ip.ip_id = id
	first.ip.ip_len = header_len + pos
	first.ip.ip_off = IP_MF

	local second = deepcopy(dis)
	second.ip.ip_id = id
	second.ip.ip_len = packet_len(dis) - pos
	second.ip.ip_off = divint(pos, 8)

	return { first, second }
end

-- Index where the fragment header belongs: behind the headers that every router on the path may need.
local function ip6_frag_index(exthdr)
	local index = 1
	local destopts_seen = false
	for i = 1, exthdr and #exthdr or 0 do
		local header_type = exthdr[i].type
		local first_destopts = header_type == IPPROTO_DSTOPTS and not destopts_seen
		if header_type == IPPROTO_HOPOPTS or header_type == IPPROTO_ROUTING or first_destopts then
			index = i + 1
		end
		destopts_seen = destopts_seen or first_destopts
	end
	return index
end

local IP6_FRAG_HEADER_LEN = 8

local function ipfrag2_ip6(dis, options)
	local index = ip6_frag_index(dis.ip6.exthdr)
	local unfragmentable = l3_extra_len(dis, index - 1)
	local pos = ipfrag_position(dis, options, IP6_BASE_LEN + unfragmentable)
	if not pos then return nil end
	local ident = bu32(math.random(1, 0xFFFFFFFF))

	local first = deepcopy(dis)
	insert_ip6_exthdr(first.ip6, index, IPPROTO_FRAGMENT, bu16(IP6F_MORE_FRAG) .. ident)
	first.ip6.ip6_plen = unfragmentable + IP6_FRAG_HEADER_LEN + pos

	local second = deepcopy(dis)
	insert_ip6_exthdr(second.ip6, index, IPPROTO_FRAGMENT, bu16(pos) .. ident)
	second.ip6.ip6_plen = packet_len(dis) - IP6_BASE_LEN + IP6_FRAG_HEADER_LEN - pos
	if options.ipfrag_next then second.ip6.exthdr[index].next = tonumber(options.ipfrag_next) end

	return { first, second }
end

-- Cuts a packet into two IP fragments. Returns their dissects, or nil if the packet is too short.
-- ipfrag_options : ipfrag_pos_tcp, ipfrag_pos_udp, ipfrag_pos_icmp, ipfrag_pos and ipfrag_next
function ipfrag2(dis, ipfrag_options)
	DLOG("ipfrag2")
	if dis.ip then return ipfrag2_ip4(dis, ipfrag_options) end
	if dis.ip6 then return ipfrag2_ip6(dis, ipfrag_options) end
end

-- Urgent pointer of the segment that begins at payload position pos, or nil if the segment has none.
local function segment_urgent_pointer(urp, pos, len)
	if urp == 0 then return pos == 1 and 0 or nil end
	if urp >= pos and urp < pos + len then return urp - pos + 1 end
end

-- Copy of a dissect for apply_fooling, apply_ip_id and rawsend_dissect: what they change is copied, what they only read
-- is shared. Functions named by a user may change anything.
local function copy_for_sending(dis, fooling, ipfrag)
	if fooling.fool or ipfrag and ipfrag.ipfrag then return deepcopy(dis) end
	local copy = copy_dis(dis)
	if dis.ip then copy.ip = copy_ip(dis.ip) end
	if dis.ip6 then copy.ip6 = deepcopy(dis.ip6) end
	if dis.tcp then
		copy.tcp = copy_tcp(dis.tcp)
		if dis.tcp.options then copy.tcp.options = copy_array(dis.tcp.options) end
	end
	return copy
end

-- Sends one segment. `added`: bytes by which fooling has made its headers longer. If it is not taken and these may be why
-- (the path takes less than the MSS says), it is sent in two, the second with as many bytes of payload.
local function send_fooled_segment(desync, segment, added, options)
	if rawsend_dissect_ipfrag(segment, options) then return true end
	local tcp, part = segment.tcp, segment.payload
	if added <= 0 or #part <= added or bitand(tcp.th_flags, TH_URG + TH_SYN) ~= 0 then return false end
	DLOG("rawsend_dissect_segmented: sending the segment in two because fooling has made it too long")
	local seq, flags, cut = tcp.th_seq, tcp.th_flags, #part - added
	segment.payload = part:sub(1, cut)
	tcp.th_flags = bitand(flags, bitnot(TH_FIN + TH_PUSH))
	local sent = rawsend_dissect_ipfrag(segment, options)
	if sent then
		segment.payload = part:sub(cut + 1)
		tcp.th_seq = u32add(seq, cut)
		tcp.th_flags = flags
		apply_ip_id(desync, segment, options.ipid)
		sent = rawsend_dissect_ipfrag(segment, options)
	end
	segment.payload, tcp.th_seq, tcp.th_flags = part, seq, flags
	return sent
end

-- Sends `segment`, a copy of `dis` for sending with a payload of its own, after fooling.
local function send_segments(desync, dis, segment, mss, options)
	apply_fooling(desync, segment, options.fooling)

	local tcp, payload = segment.tcp, segment.payload
	local max_len, added = #payload, 0
	if tcp then
		mss = mss or desync.tcp_mss
		local extra_len = l3l4_extra_len(segment)
		max_len, added = mss - extra_len, extra_len - l3l4_extra_len(dis)
		if max_len <= 0 then
			dlog_format("rawsend_dissect_segmented: headers leave no room for payload, mss %s", mss)
			return false
		end
	end
	if #payload <= max_len then
		apply_ip_id(desync, segment, options.ipid)
		return send_fooled_segment(desync, segment, added, options)
	end

	local urgent = bitand(dis.tcp.th_flags, TH_URG) ~= 0
	for pos = 1, #payload, max_len do
		local part = payload:sub(pos, pos + max_len - 1)
		segment.payload = part
		if urgent then
			local urp = segment_urgent_pointer(dis.tcp.th_urp or 0, pos, #part)
			tcp.th_flags = urp and bitor(tcp.th_flags, TH_URG) or bitand(tcp.th_flags, bitnot(TH_URG))
			tcp.th_urp = urp or 0
		end
		apply_ip_id(desync, segment, options.ipid)
		if not send_fooled_segment(desync, segment, added, options) then return false end
		tcp.th_seq = u32add(tcp.th_seq, #part)
	end
	return true
end

-- Sends a dissect after fooling, as TCP segments if it does not fit into mss. `dis` is not changed.
-- Returns true if all was sent; false at the first failure, or if the headers leave no room for payload.
-- Flags (except URG) are the same in every segment. UDP is never segmented.
-- dis     : default desync.dis
-- mss     : default desync.tcp_mss
-- options : default desync_opts(desync); .fooling, .ipid default to desync.arg; .rawsend, .reconstruct,
--           .ipfrag as in rawsend_dissect_ipfrag
function rawsend_dissect_segmented(desync, dis, mss, options)
	dis = dis or desync.dis
	options = options or desync_opts(desync)
	local segment = copy_for_sending(dis, options.fooling or desync.arg, options.ipfrag)
	return send_segments(desync, dis, segment, mss, options)
end

local dissect_segmented = rawsend_dissect_segmented

-- One level copy of a dissect with another payload and sequence number; the dissect itself if neither is wanted.
local function dis_with(dis, payload, seq)
	if not (payload or seq and seq ~= 0) then return dis end
	local copy = copy_dis(dis)
	copy.payload = payload or dis.payload
	if dis.tcp and seq and seq ~= 0 then
		copy.tcp = copy_tcp(dis.tcp)
		copy.tcp.th_seq = u32add(dis.tcp.th_seq, seq)
	end
	return copy
end

-- Sends the current packet with another payload and sequence number, segmented and fooled as above.
-- payload : default the payload of the packet
-- seq     : added to the TCP sequence number, may be negative
-- options : see rawsend_dissect_segmented
function rawsend_payload_segmented(desync, payload, seq, options)
	local dis = desync.dis
	if rawsend_dissect_segmented ~= dissect_segmented then -- a script has put its own in place of ours
		return rawsend_dissect_segmented(desync, dis_with(dis, payload, seq), nil, options)
	end
	options = options or desync_opts(desync)
	local segment = copy_for_sending(dis, options.fooling or desync.arg, options.ipfrag)
	segment.payload = payload or dis.payload
	if segment.tcp and seq and seq ~= 0 then segment.tcp.th_seq = u32add(dis.tcp.th_seq, seq) end
	return send_segments(desync, dis, segment, nil, options)
end
