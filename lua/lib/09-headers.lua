-------------------------------------------------------------------------------------------------------------
-- 9. Packet headers
-------------------------------------------------------------------------------------------------------------

local TCP_FLAGS = {
	FIN = TH_FIN, SYN = TH_SYN, RST = TH_RST, PSH = TH_PUSH, PUSH = TH_PUSH,
	ACK = TH_ACK, URG = TH_URG, ECE = TH_ECE, CWR = TH_CWR,
}

-- Bit mask of a comma separated list of TCP flag names, in any case.
function parse_tcp_flags(s)
	local flags = 0
	for name in s:upper():gmatch("[^,]+") do
		local flag = TCP_FLAGS[name]
		if not flag then error("tcp flag '" .. name .. "' is invalid") end
		flags = bitor(flags, flag)
	end
	return flags
end

-- Protocol number that the IP header (IPv6: the last extension header) announces.
function ip_proto_l3(dis)
	if dis.ip then return dis.ip.ip_p end
	if dis.ip6 then
		local exthdr = dis.ip6.exthdr
		local last = exthdr and exthdr[#exthdr]
		if last then return last.next end
		return dis.ip6.ip6_nxt
	end
end

-- Protocol number of the transport header that is present; nil if none.
function ip_proto_l4(dis)
	if dis.tcp then return IPPROTO_TCP end
	if dis.udp then return IPPROTO_UDP end
	if dis.icmp then return dis.ip and IPPROTO_ICMP or dis.ip6 and IPPROTO_ICMPV6 or nil end
end

-- Protocol number by transport header, else by IP header.
function ip_proto(dis)
	return ip_proto_l4(dis) or ip_proto_l3(dis)
end

-- Writes the protocol number to the IP header (IPv6: the whole next-header chain).
-- proto : default ip_proto(dis)
function fix_ip_proto(dis, proto)
	proto = proto or ip_proto(dis)
	if not proto then return end
	if dis.ip then dis.ip.ip_p = proto end
	if dis.ip6 then fix_ip6_next(dis.ip6, proto) end
end

-- Index of the first TCP option of a kind; nil if none.
function find_tcp_option(options, kind)
	if not options then return nil end
	for i = 1, #options do
		if options[i].kind == kind then return i end
	end
	return nil
end

-- Index of the first extension header of a type; nil if none.
function find_ip6_exthdr(exthdr, proto)
	if not exthdr then return nil end
	for i = 1, #exthdr do
		if exthdr[i].type == proto then return i end
	end
	return nil
end

-- What points to extension header `index`: the table and the name of its field.
local function exthdr_link(ip6, index)
	if index == 1 then return ip6, "ip6_nxt" end
	return ip6.exthdr[index - 1], "next"
end

-- Inserts an extension header and links it into the chain.
-- index       : 1-based; nil = append
-- header_type : its protocol number
-- data        : its bytes without the first two; 6+8k of them (6+4k for AH)
function insert_ip6_exthdr(ip6, index, header_type, data)
	local exthdr = subtable(ip6, "exthdr")
	index = index or #exthdr + 1
	if index < 1 or index > #exthdr + 1 then
		error("insert_ip6_exthdr: invalid index " .. index)
	end
	local link, field = exthdr_link(ip6, index)
	table.insert(exthdr, index, { type = header_type, data = data, next = link[field] })
	link[field] = header_type
end

-- Removes an extension header and closes the chain.
function del_ip6_exthdr(ip6, index)
	local removed = ip6.exthdr and ip6.exthdr[index]
	if not removed then
		error("delete_ip6_exthdr: nonexistent index " .. index)
	end
	local link, field = exthdr_link(ip6, index)
	link[field] = removed.next
	table.remove(ip6.exthdr, index)
end

-- Rebuilds the next-header chain from the types of the extension headers.
-- last : protocol after the last header, default "no next header"
function fix_ip6_next(ip6, last)
	local next_proto = last or IPPROTO_NONE
	local exthdr = ip6.exthdr
	for i = exthdr and #exthdr or 0, 1, -1 do
		exthdr[i].next = next_proto
		next_proto = exthdr[i].type
	end
	ip6.ip6_nxt = next_proto
end

-- Raw source address; nil if there is no IP header.
function dis_ipsrc(dis)
	return dis.ip and dis.ip.ip_src or dis.ip6 and dis.ip6.ip6_src
end

-- Raw destination address; nil if there is no IP header.
function dis_ipdst(dis)
	return dis.ip and dis.ip.ip_dst or dis.ip6 and dis.ip6.ip6_dst
end

-- "tcp", "udp", "icmp" or "raw<protocol>".
function dis_l4_name(dis)
	return dis.tcp and "tcp" or dis.udp and "udp" or dis.icmp and "icmp" or "raw" .. tostring(ip_proto_l3(dis))
end

-- "sport:dport", for ICMP "type:code", else "?".
function dis_l4_ports(dis)
	local tcp, udp, icmp = dis.tcp, dis.udp, dis.icmp
	return tcp and tcp.th_sport .. ":" .. tcp.th_dport
		or udp and udp.uh_sport .. ":" .. udp.uh_dport
		or icmp and icmp.icmp_type .. ":" .. icmp.icmp_code
		or "?"
end

-- Timer name made from the flow: "1.2.3.4->5.6.7.8_udp_1:2".
function dis_timer_name(dis)
	return ntop(dis_ipsrc(dis)) .. "->" .. ntop(dis_ipdst(dis)) .. "_" .. dis_l4_name(dis) .. "_" .. dis_l4_ports(dis)
end

-- Timer name unique for instance, flow and packet (packet number, or a random suffix without conntrack).
function desync_timer_name(desync)
	local suffix = desync.track and "n" .. desync.track.pos.direct.pcounter or brandom_az09(10)
	return desync.func_instance .. "_" .. dis_timer_name(desync.dis) .. "_" .. suffix
end

-- Turns the packet around, in place: swaps addresses, ports, and TCP seq with ack. Flags stay.
function dis_reverse(dis)
	local ip, ip6, tcp, udp = dis.ip, dis.ip6, dis.tcp, dis.udp
	if ip then ip.ip_src, ip.ip_dst = ip.ip_dst, ip.ip_src end
	if ip6 then ip6.ip6_src, ip6.ip6_dst = ip6.ip6_dst, ip6.ip6_src end
	if tcp then
		tcp.th_sport, tcp.th_dport = tcp.th_dport, tcp.th_sport
		tcp.th_seq, tcp.th_ack = tcp.th_ack, tcp.th_seq
	end
	if udp then udp.uh_sport, udp.uh_dport = udp.uh_dport, udp.uh_sport end
end

-- Bytes of the IP header (with extension headers). ip_len is taken from the table.
-- options : reconstruct options, for IPv6 only; without ip6_last_proto the chain ends with 59
function dis_reconstruct_l3(dis, options)
	if dis.ip then return csum_ip4_fix(reconstruct_iphdr(dis.ip)) end
	if dis.ip6 then return reconstruct_ip6hdr(dis.ip6, options) end
end

local function wsize_number(arg, name)
	return tonumber(arg[name]) or error("wsize_rewrite: " .. name .. " requires a number")
end

-- Rewrites TCP window size and scale factor in place. Returns true if something was changed.
-- Group window:
--   wsize=<number>: new window size
--   scale=<number>: new scale factor; only ever decreased, and only if the packet has the option
function wsize_rewrite(dis, arg)
	local tcp = dis.tcp
	local changed = false
	if arg.wsize then
		local wsize = wsize_number(arg, "wsize")
		dlog_format("wsize_rewrite: window size %s => %s", tcp.th_win, wsize)
		tcp.th_win = wsize
		changed = true
	end
	local index = arg.scale and find_tcp_option(tcp.options, TCP_KIND_SCALE)
	if index then
		local scale = wsize_number(arg, "scale")
		local option = tcp.options[index]
		local current = option.data and option.data:byte()
		if not current then
			dlog_format("wsize_rewrite: scale option without data")
		elseif scale > current then
			dlog_format("wsize_rewrite: not increasing scale factor")
		elseif scale < current then
			dlog_format("wsize_rewrite: scale factor %s => %s", current, scale)
			option.data = bu8(scale)
			changed = true
		end
	end
	return changed
end
