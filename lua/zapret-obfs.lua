-- Obfuscation: functions that both peers of a connection run to disguise it. Load after zapret-lib.lua.
--
-- One peer transforms packets, the other restores them. Which of the two a packet needs is told by its contents, so
-- incoming packets must reach the functions (--in-range=a).

-- Defined by zapret-lib.lua; this is for one of another origin, which lacks it.
dlog_format = dlog_format or function(format, ...)
	if b_debug then DLOG(format:format(...)) end
end

-- Argument `name` as a whole number between low and high, or `default` if it is absent.
local function int_arg(desync, name, default, low, high)
	local text = desync.arg[name]
	if not text then return default end
	local value = tonumber(text)
	if not value or value < low or value > high or value % 1 ~= 0 then
		error(desync.func .. ": " .. name .. " must be " .. low .. ".." .. high .. ", got '" .. tostring(text) .. "'")
	end
	return value
end

-- The blob named by argument dataxor, nil if it is absent.
local function dataxor_blob(desync)
	local name = desync.arg.dataxor
	if not name then return nil end
	local key = blob(desync, name)
	if #key == 0 then error(desync.func .. ": empty dataxor value") end
	return key
end

local function xor_payload(dis, key)
	dis.payload = bxor(dis.payload, pattern(key, 1, #dis.payload))
end


-------------------------------------------------------------------------------------------------------------
-- wgobfs
-------------------------------------------------------------------------------------------------------------

-- An encrypted handshake on the wire: iv | tag | AES-128-GCM(16-bit payload length | payload | padding)
local WG_IV_LEN = 12
local WG_TAG_LEN = 16
local WG_OVERHEAD = WG_IV_LEN + WG_TAG_LEN + 2
local WG_PAYLOAD_MAX = 65535 - WG_OVERHEAD

-- Payload lengths of initiation, response and cookie.
local WG_HANDSHAKE_LEN = { 148, 92, 64 }
local WG_HANDSHAKE_TYPE = { wireguard_initiation = true, wireguard_response = true, wireguard_cookie = true }

local function wg_encrypt(key, payload, padmin, padmax)
	local padlen = padmin + u32(bcryptorandom(4)) % (padmax - padmin + 1)
	local iv = bcryptorandom(WG_IV_LEN)
	local encrypted, tag = aes_gcm(true, key, iv, bu16(#payload) .. payload .. brandom(padlen))
	return iv .. tag .. encrypted
end

-- The payload inside, nil if it was not encrypted with this key.
local function wg_decrypt(key, wire)
	local iv = wire:sub(1, WG_IV_LEN)
	local tag = wire:sub(WG_IV_LEN + 1, WG_IV_LEN + WG_TAG_LEN)
	local plain, computed_tag = aes_gcm(false, key, iv, wire:sub(WG_IV_LEN + WG_TAG_LEN + 1))
	-- Lua keeps one copy of a short string, so this compares pointers: in constant time
	if tag ~= computed_tag then return nil end
	local len = u16(plain)
	if len > #plain - 2 then return nil end
	return plain:sub(3, 2 + len)
end

-- True if an encrypted handshake can have this length.
local function wg_length_fits(len, padmin, padmax)
	for _, handshake_len in ipairs(WG_HANDSHAKE_LEN) do
		local base = handshake_len + WG_OVERHEAD
		if len >= base + padmin and len <= base + padmax then return true end
	end
	return false
end

-- Encrypts WireGuard handshakes, decrypts those of the peer. Data packets stay as they are.
-- Arguments:
--   secret=<text> (required): what the key is made of
--   padmin=<number> (0): least random padding in bytes
--   padmax=<number> (16): most random padding in bytes
-- The key is kept in the global <instance>_key.
-- Sends nothing. Verdict: MODIFY if encrypted or decrypted. Cuts off other protocols.
function wgobfs(ctx, desync)
	local dis, arg = desync.dis, desync.arg
	if not dis.udp then
		instance_cutoff_shim(ctx, desync)
		return
	end
	local secret = arg.secret
	if not secret or #secret == 0 then error("wgobfs: 'secret' argument is required") end
	local padmin = int_arg(desync, "padmin", 0, 0, WG_PAYLOAD_MAX)
	local padmax = int_arg(desync, "padmax", 16, 0, WG_PAYLOAD_MAX)
	if padmin > padmax then error("wgobfs: padmin must not exceed padmax") end
	local encrypt = WG_HANDSHAKE_TYPE[desync.l7payload] and #dis.payload <= WG_PAYLOAD_MAX
	local decrypt = desync.l7payload == "unknown" and wg_length_fits(#dis.payload, padmin, padmax)
	if not (encrypt or decrypt) then return end
	local key_name = desync.func_instance .. "_key"
	local key = _G[key_name]
	if not key then
		key = hkdf("sha256", "wgobfs_salt", secret, nil, 16)
		_G[key_name] = key
	end
	if encrypt then
		dis.payload = wg_encrypt(key, dis.payload, padmin, padmax)
		DLOG("wgobfs: encrypted")
		return VERDICT_MODIFY
	end
	local payload = wg_decrypt(key, dis.payload)
	if not payload then
		DLOG("wgobfs: not decrypted")
		return
	end
	dis.payload = payload
	DLOG("wgobfs: decrypted")
	return VERDICT_MODIFY
end


-------------------------------------------------------------------------------------------------------------
-- ippxor
-------------------------------------------------------------------------------------------------------------

-- True if protocol number `proto` promises a transport header that the dissect does not have.
local function lacks_layer(dis, proto)
	return proto == IPPROTO_TCP and not dis.tcp
		or proto == IPPROTO_UDP and not dis.udp
		or proto == IPPROTO_ICMP and not (dis.ip and dis.icmp)
		or proto == IPPROTO_ICMPV6 and not (dis.ip6 and dis.icmp)
end

-- Xors the IP protocol number, in any packet of both directions. Doing it twice restores it.
-- Arguments:
--   ippxor=<0..255> (required): the mask
--   dataxor=<blob>: xor the payload behind the transport header too
--   rebuild: dissect the packet anew if the new number promises a transport header (dataxor implies it)
-- Sends nothing. Verdict: MODIFY, keeping the protocol number as it was set.
function ippxor(ctx, desync)
	if not desync.arg.ippxor then error("ippxor: 'ippxor' argument is required") end
	local mask = int_arg(desync, "ippxor", nil, 0, 255)
	local key = dataxor_blob(desync)
	local function xor_transport_payload(dis)
		if key and (dis.tcp or dis.udp or dis.icmp) and #dis.payload > 0 then
			xor_payload(dis, key)
			return true
		end
		return false
	end
	local dis = desync.dis
	local xored = xor_transport_payload(dis)
	local from = ip_proto_l3(dis)
	local to = bitxor(from, mask)
	fix_ip_proto(dis, to)
	if (key and not xored or desync.arg.rebuild) and lacks_layer(dis, to) then
		dis = dissect(reconstruct_dissect(dis, { ip6_preserve_next = true }))
		if not (dis.ip or dis.ip6) then
			DLOG_ERR("ippxor: could not rebuild packet")
			return
		end
		desync.dis = dis
	end
	if not xored then xor_transport_payload(dis) end
	dlog_format("ippxor: %s => %s", from, to)
	return VERDICT_MODIFY + VERDICT_PRESERVE_NEXT
end


-------------------------------------------------------------------------------------------------------------
-- udp2icmp
-------------------------------------------------------------------------------------------------------------

-- The values of an argument of the client and of its counterpart for the server: both are given, or neither is.
local function icmp_pair(desync, client, server, client_default, server_default)
	if (desync.arg[client] == nil) ~= (desync.arg[server] == nil) then
		error("udp2icmp: " .. client .. " and " .. server .. " must be both set")
	end
	return int_arg(desync, client, client_default, 0, 255), int_arg(desync, server, server_default, 0, 255)
end

-- Disguises UDP as ICMP, restores the UDP of the peer.
-- Arguments:
--   ctype=<0..255> (8, IPv6: 128; with stype): type the client sends
--   stype=<0..255> (0, IPv6: 129; with ctype): type the server sends
--   ccode=<0..255> (0; with scode): code the client sends
--   scode=<0..255> (0; with ccode): code the server sends
--   dataxor=<blob>: xor the payload
--   server=0|1 (as with --server): our role
-- The ICMP data word holds the ports: both xored | the server's.
-- Sends nothing. Verdict: MODIFY for UDP and for ICMP with the peer's type and code.
function udp2icmp(ctx, desync)
	local dis = desync.dis
	local udp, icmp = dis.udp, dis.icmp
	if not (udp or icmp) then return end
	local server = b_server
	if desync.arg.server then server = desync.arg.server ~= "0" end
	local own_type, peer_type = icmp_pair(desync, "ctype", "stype",
		dis.ip and ICMP_ECHO or ICMP6_ECHO_REQUEST, dis.ip and ICMP_ECHOREPLY or ICMP6_ECHO_REPLY)
	local own_code, peer_code = icmp_pair(desync, "ccode", "scode", 0, 0)
	if server then
		own_type, own_code, peer_type, peer_code = peer_type, peer_code, own_type, own_code
	end
	local key = dataxor_blob(desync)
	if udp then
		local both = bitxor(udp.uh_sport, udp.uh_dport)
		local server_port = server and udp.uh_sport or udp.uh_dport
		dis.icmp = { icmp_type = own_type, icmp_code = own_code, icmp_data = bitor(bitlshift(both, 16), server_port) }
		dis.udp = nil
	else
		if icmp.icmp_type ~= peer_type or icmp.icmp_code ~= peer_code then return end
		local server_port = bitand(icmp.icmp_data, 0xFFFF)
		local client_port = bitxor(bitrshift(icmp.icmp_data, 16), server_port)
		dis.udp = {
			uh_sport = server and client_port or server_port,
			uh_dport = server and server_port or client_port,
			uh_ulen = UDP_BASE_LEN + #dis.payload
		}
		dis.icmp = nil
	end
	fix_ip_proto(dis)
	if key then xor_payload(dis, key) end
	DLOG(udp and "udp2icmp: UDP => ICMP" or "udp2icmp: ICMP => UDP")
	return VERDICT_MODIFY
end


-------------------------------------------------------------------------------------------------------------
-- synhide
-------------------------------------------------------------------------------------------------------------

-- The kinds of magic that mark a disguised handshake packet. opts are the parsed arguments, m is magic_value().
local MAGIC = {}

-- x2: bits in the reserved nibble of the TCP header.
MAGIC.x2 = {
	set = function(tcp, opts)
		tcp.th_x2 = bitor(tcp.th_x2 or 0, opts.x2)
	end,
	test = function(tcp, opts)
		return bitand(tcp.th_x2 or 0, opts.x2) ~= 0
	end,
	clear = function(tcp, opts)
		tcp.th_x2 = bitand(tcp.th_x2, bitnot(opts.x2))
	end
}

-- urp: the urgent pointer without the URG flag.
MAGIC.urp = {
	set = function(tcp, opts, m)
		tcp.th_urp = m
	end,
	test = function(tcp, opts, m)
		return tcp.th_urp == m
	end,
	clear = function(tcp)
		tcp.th_urp = 0
	end
}

-- opt: a TCP option with fixed contents.
MAGIC.opt = {
	set = function(tcp, opts)
		tcp.options = tcp.options or {}
		table.insert(tcp.options, { kind = opts.kind, data = opts.opt })
	end,
	test = function(tcp, opts)
		local idx = find_tcp_option(tcp.options, opts.kind)
		return idx ~= nil and tcp.options[idx].data == opts.opt
	end,
	clear = function(tcp, opts)
		table.remove(tcp.options, find_tcp_option(tcp.options, opts.kind))
	end
}

-- The timestamp option of 8 bytes, or nil.
local function timestamp_option(tcp)
	local idx = find_tcp_option(tcp.options, TCP_KIND_TS)
	local option = idx and tcp.options[idx]
	return option and #option.data == 8 and option or nil
end

-- tsecr: the low half of the timestamp echo, which a SYN does not use.
MAGIC.tsecr = {
	set = function(tcp, opts, m)
		local ts = timestamp_option(tcp)
		ts.data = ts.data:sub(1, 6) .. bu16(m)
	end,
	test = function(tcp, opts, m)
		return u16(timestamp_option(tcp).data, 7) == m
	end,
	clear = function(tcp)
		local ts = timestamp_option(tcp)
		ts.data = ts.data:sub(1, 6) .. "\0\0"
	end
}

local function synhide_opts(desync)
	local arg = desync.arg
	local magic = arg.magic or "x2"
	if not MAGIC[magic] then error("synhide: invalid magic '" .. magic .. "'") end
	local opt = parse_hex(arg.opt or "")
	if not opt then error("synhide: opt must be hex, got '" .. arg.opt .. "'") end
	local xorseq = parse_hex(arg.xorseq or "00000000")
	if not xorseq or #xorseq ~= 4 then
		error("synhide: xorseq must be 8 hex digits, got '" .. arg.xorseq .. "'")
	end
	return {
		magic = magic,
		x2 = int_arg(desync, "x2", 1, 1, 15),
		kind = int_arg(desync, "kind", 172, 2, 255),
		opt = opt,
		xorseq = u32(xorseq)
	}
end

local function xor_seq(tcp, opts)
	tcp.th_seq = bitxor(tcp.th_seq, opts.xorseq)
	tcp.th_ack = bitxor(tcp.th_ack, opts.xorseq)
end

-- A 16-bit number that both peers can compute from the client's initial sequence; never 0.
local function magic_value(tcp, by_client)
	local isn = by_client and tcp.th_seq or u32add(tcp.th_ack, -1)
	local folded = bitxor(bitrshift(isn, 16), bitand(isn, 0xFFFF))
	if folded == 0 then return by_client and tcp.th_dport or tcp.th_sport end
	return folded
end

-- Disguises a packet: magic, then the sequence numbers, flag `from` becomes flag `to`.
local function disguise(dis, opts, by_client, from, to)
	local tcp = dis.tcp
	MAGIC[opts.magic].set(tcp, opts, magic_value(tcp, by_client))
	xor_seq(tcp, opts)
	tcp.th_flags = bitor(bitand(tcp.th_flags, bitnot(from)), to)
end

-- Undoes disguise() and lets the tracker see the packet. Returns false, with nothing changed, if there is no magic.
local function restore(desync, opts, by_client, from, to)
	local tcp, magic = desync.dis.tcp, MAGIC[opts.magic]
	xor_seq(tcp, opts)
	if not magic.test(tcp, opts, magic_value(tcp, by_client)) then
		xor_seq(tcp, opts)
		return false
	end
	magic.clear(tcp, opts)
	tcp.th_flags = bitor(bitand(tcp.th_flags, bitnot(from)), to)
	desync.track = conntrack_feed(desync.dis)
	return true
end

-- Sends the genuine SYN with a TTL that lets it die on the way. True if there is nothing to send or it was sent.
local function send_ghost(desync)
	local ttl = int_arg(desync, desync.dis.ip and "ghost" or "ghost6", nil, 0, 255)
	if not ttl then return true end
	local dis = deepcopy(desync.dis)
	if dis.ip then
		dis.ip.ip_ttl = ttl
	else
		dis.ip6.ip6_hlim = ttl
	end
	DLOG("synhide: sending ghost SYN")
	return rawsend_dissect(dis, rawsend_opts_base(desync))
end

local HANDSHAKE_FLAGS = TH_SYN + TH_ACK + TH_FIN + TH_RST + TH_URG

-- Hides the TCP handshake from conntracks on the way: the SYN travels as ACK, the SYN,ACK as RST,ACK.
-- Arguments:
--   synack: disguise the SYN,ACK as well
--   ghost=<ttl>: send the genuine IPv4 SYN in front, with this TTL
--   ghost6=<hop limit>: send the genuine IPv6 SYN in front, with this hop limit
--   magic=x2|urp|opt|tsecr (x2): the mark of disguised packets
--   x2=<1..15> (1): bits of the reserved nibble
--   kind=<2..255> (172): kind of the TCP option
--   opt=<hex> (empty): content of the TCP option
--   xorseq=<8 hex digits> (zeros): mask of sequence and acknowledgment number
--   ifout=<interface> (of the packet): for the ghost
--   fwmark=<number> (of the packet): for the ghost
-- Verdict: MODIFY for disguised and restored packets. All others, and all that follows the handshake, cut off.
function synhide(ctx, desync)
	local tcp = desync.dis.tcp
	if not tcp then
		instance_cutoff_shim(ctx, desync)
		return
	end
	local opts = synhide_opts(desync)
	local hide_synack = desync.arg.synack
	local flags = bitand(tcp.th_flags, HANDSHAKE_FLAGS)
	local done, last = false, true
	if opts.magic == "tsecr" and not timestamp_option(tcp) then
		DLOG("synhide: no timestamp option")
	elseif flags == TH_SYN then
		-- client, sending
		if send_ghost(desync) then
			disguise(desync.dis, opts, true, TH_SYN, TH_ACK)
			done, last = true, not hide_synack
		end
	elseif flags == TH_SYN + TH_ACK then
		-- server, sending
		if hide_synack then
			disguise(desync.dis, opts, false, TH_SYN, TH_RST)
			done, last = true, false
		end
	elseif flags == TH_ACK then
		-- server, receiving
		done = restore(desync, opts, true, TH_ACK, TH_SYN)
		last = not done or not hide_synack
	elseif flags == TH_RST + TH_ACK then
		-- client, receiving
		done = restore(desync, opts, false, TH_RST, TH_SYN)
	end
	if last then instance_cutoff_shim(ctx, desync) end
	if done then
		DLOG("synhide: handshake packet rewritten")
		return VERDICT_MODIFY
	end
end
