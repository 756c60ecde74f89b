-------------------------------------------------------------------------------------------------------------
-- 10. Packet lengths in bytes, as the packet will be reconstructed
-------------------------------------------------------------------------------------------------------------

local function round_up(len, unit)
	return len + -len % unit
end

-- IP header without options and extension headers.
function l3_base_len(dis)
	return dis.ip and IP_BASE_LEN or dis.ip6 and IP6_BASE_LEN or 0
end

-- IP options, or extension headers.
-- last : count only the first `last` extension headers; nil or negative = all
function l3_extra_len(dis, last)
	if dis.ip then
		local options = dis.ip.options
		return options and round_up(#options, 4) or 0
	end
	local exthdr = dis.ip6 and dis.ip6.exthdr
	if not exthdr then return 0 end
	if not last or last < 0 or last > #exthdr then last = #exthdr end
	local len = 0
	for i = 1, last do
		local header = exthdr[i]
		len = len + round_up(2 + #header.data, header.type == IPPROTO_AH and 4 or 8)
	end
	return len
end

-- Whole IP header.
function l3_len(dis)
	return l3_base_len(dis) + l3_extra_len(dis)
end

-- Transport header without options.
function l4_base_len(dis)
	return dis.tcp and TCP_BASE_LEN or dis.udp and UDP_BASE_LEN or dis.icmp and ICMP_BASE_LEN or 0
end

-- TCP options with padding.
function l4_extra_len(dis)
	local options = dis.tcp and dis.tcp.options
	if not options then return 0 end
	local len = 0
	for i = 1, #options do
		local option = options[i]
		if option.kind == TCP_KIND_END or option.kind == TCP_KIND_NOOP then
			len = len + 1
		else
			len = len + 2 + (option.data and #option.data or 0)
		end
	end
	return round_up(len, 4)
end

-- Whole transport header.
function l4_len(dis)
	return l4_base_len(dis) + l4_extra_len(dis)
end

-- Everything in both headers beyond the base headers.
function l3l4_extra_len(dis)
	return l3_extra_len(dis) + l4_extra_len(dis)
end

-- Both headers.
function l3l4_len(dis)
	return l3_len(dis) + l4_len(dis)
end

-- Whole packet.
function packet_len(dis)
	return l3l4_len(dis) + #dis.payload
end
