-- Desync functions: the techniques that confuse a DPI on the path. Load after zapret-lib.lua.
--
-- Every public function is called as f(ctx, desync) and returns a verdict; returning nothing means VERDICT_PASS.
-- The comment above each one names the groups of arguments it takes and lists its own. A group is described above the
-- function of zapret-lib.lua that reads it ("Group fooling:"). Tables in the documents and what --check knows are made
-- from these comments: docs/contracts/libraries.md#descriptions. A flag argument is on when it is written, whatever its
-- value.
--
-- "Plain send" is rawsend_dissect_ipfrag: one packet, as it is. "Segmented send" is rawsend_payload_segmented: a copy
-- of the current packet with another payload, fooled, cut to the MSS, numbered by the ip id policy.
-- Positions are 1-based: position p means "the second part begins with byte p".

-- Defined by zapret-lib.lua; this is for one of another origin, which lacks it.
dlog_format = dlog_format or function(format, ...)
	if b_debug then DLOG(format:format(...)) end
end


-------------------------------------------------------------------------------------------------------------
-- Local helpers
-------------------------------------------------------------------------------------------------------------

-- The foreign protocol rule: true if the packet carries `l4` ("tcp" or "udp"). Any other packet switches the instance
-- off for the connection, except ICMP: it is only related to the flow.
local function of_protocol(ctx, desync, l4)
	if desync.dis[l4] then return true end
	if not desync.dis.icmp then instance_cutoff_shim(ctx, desync) end
	return false
end

local SYN_ACK = TH_SYN + TH_ACK

local function is_syn(tcp)
	return bitand(tcp.th_flags, SYN_ACK) == TH_SYN
end

local function is_syn_ack(tcp)
	return bitand(tcp.th_flags, SYN_ACK) == SYN_ACK
end

local function change_flags(tcp, unset, set)
	tcp.th_flags = bitor(bitand(tcp.th_flags, bitnot(unset)), set)
end

-- The whole message during a replay, the packet's own payload otherwise.
local function message(desync)
	return desync.reasm_data or desync.dis.payload
end

-- The bytes of the pattern blob named by argument `name`: one zero byte if it is not given, or missing but optional.
local function pattern_blob(desync, name)
	local arg = desync.arg
	if arg.optional and arg[name] and not blob_exist(desync, arg[name]) then
		dlog_format("%s: %s blob '%s' is missing, using zeros", desync.func, name, arg[name])
		return "\0"
	end
	return blob(desync, arg[name], "\0")
end

-- `len` bytes that overlap the previous part of the stream.
local function overlap_bytes(desync, len)
	return len > 0 and pattern(pattern_blob(desync, "seqovl_pattern"), 1, len) or ""
end

-- Argument seqovl as a number of bytes, 0 if absent.
local function overlap_size(desync)
	local seqovl = desync.arg.seqovl
	if not seqovl then return 0 end
	local size = tonumber(seqovl)
	if not size then error(desync.func .. ": seqovl must be a number, got '" .. seqovl .. "'") end
	return math.max(size, 0)
end

-- Argument seqovl as a marker: its position in `data`, nil if absent or unresolvable.
local function overlap_marker(desync, data)
	local seqovl = desync.arg.seqovl
	local pos = seqovl and resolve_pos(data, desync.l7payload, seqovl)
	if seqovl and not pos then
		dlog_format("%s: seqovl cancelled because marker '%s' cannot be resolved", desync.func, seqovl)
	end
	return pos
end


-------------------------------------------------------------------------------------------------------------
-- Elementary functions
-------------------------------------------------------------------------------------------------------------

-- Drops matching packets of any protocol.
-- Arguments: direction (any), payload (all)
-- Sends nothing. Verdict: DROP if the filters match.
function drop(ctx, desync)
	direction_cutoff_opposite(ctx, desync, "any")
	if direction_check(desync, "any") and payload_check(desync, "all") then
		DLOG("drop")
		return VERDICT_DROP
	end
end

-- Sends a copy of the current packet of any protocol.
-- Arguments: direction (any), fooling, ipid (none), ipfrag, rawsend, reconstruct, not payload
--   delay=<milliseconds>: send it that much later, at least 10
-- Sends the fooled copy by plain send. There is no payload filter: use --payload. Verdict: PASS.
function send(ctx, desync)
	direction_cutoff_opposite(ctx, desync, "any")
	if not direction_check(desync, "any") then return end
	local arg = desync.arg
	if arg.payload then
		DLOG("send: argument 'payload' is ignored. use --payload")
	end
	local dis = deepcopy(desync.dis)
	apply_fooling(desync, dis)
	apply_ip_id(desync, dis, nil, "none")
	if arg.delay then
		local delay = tonumber(arg.delay)
		if not delay then error("send: delay must be a number, got '" .. arg.delay .. "'") end
		dlog_format("send: delayed by %s ms", delay)
		timer_set(desync_timer_name(desync), "send_timer_delayed", delay, true, { dis = dis, opts = desync_opts(desync) })
	else
		DLOG("send")
		rawsend_dissect_ipfrag(dis, desync_opts(desync))
	end
end

-- Timer callback of send:delay. data.dis is the packet, data.opts its send options.
function send_timer_delayed(name, data)
	dlog_format("send_timer_delayed: %s", name)
	rawsend_dissect_ipfrag(data.dis, data.opts)
end

-- Changes the current packet of any protocol.
-- Arguments: direction (any), fooling, ipid (none)
-- Sends nothing. Verdict: MODIFY for every packet of the direction. Later instances see the changes.
function pktmod(ctx, desync)
	direction_cutoff_opposite(ctx, desync, "any")
	if direction_check(desync, "any") then
		DLOG("pktmod")
		apply_fooling(desync)
		apply_ip_id(desync, nil, nil, "none")
		return VERDICT_MODIFY
	end
end

-- Sends a RST in the name of the sender.
-- Arguments: direction, payload, fooling, ipid (none), rawsend, reconstruct, ipfrag
--   rstack: RST,ACK instead of RST
-- The default direction is contradictory and kept so: the check accepts any, but every call cuts off the direction
-- opposite to `out`. So incoming packets are served only before the first call.
-- Sends the packet without payload by plain send. Only the first piece of a replay counts. Verdict: PASS.
function rst(ctx, desync)
	if not of_protocol(ctx, desync, "tcp") then return end
	direction_cutoff_opposite(ctx, desync)
	if direction_check(desync, "any") and payload_check(desync) and replay_first(desync) then
		local dis = deepcopy(desync.dis)
		dis.payload = ""
		dis.tcp.th_flags = desync.arg.rstack and TH_RST + TH_ACK or TH_RST
		apply_fooling(desync, dis)
		apply_ip_id(desync, dis, nil, "none")
		DLOG("rst")
		rawsend_dissect_ipfrag(dis, desync_opts(desync))
	end
end

-- Sends a decoy payload in front of the original TCP or UDP packet.
-- Arguments: direction, payload, fooling, ipid, rawsend, reconstruct, ipfrag
--   blob=<blob> (required): the decoy
--   optional: do nothing if the blob is missing
--   tls_mod=<list>: modifications of a TLS decoy (TCP only). A decoy that cannot be modified is sent as it is
-- Sends the decoy by segmented send. Only the first piece of a replay counts. Verdict: PASS.
function fake(ctx, desync)
	direction_cutoff_opposite(ctx, desync)
	local dis, arg = desync.dis, desync.arg
	if not (dis.tcp or dis.udp) then return end
	if not (direction_check(desync) and payload_check(desync)) then return end
	if not replay_first(desync) then
		DLOG("fake: not acting on further replay pieces")
		return
	end
	if not arg.blob then error("fake: 'blob' argument is required") end
	if arg.optional and not blob_exist(desync, arg.blob) then
		dlog_format("fake: blob '%s' is missing, skipped", arg.blob)
		return
	end
	local decoy = blob(desync, arg.blob)
	if arg.tls_mod and desync.reasm_data then
		decoy = tls_mod_shim(desync, decoy, arg.tls_mod, desync.reasm_data) or decoy
	end
	DLOG("fake")
	rawsend_payload_segmented(desync, decoy)
end


-------------------------------------------------------------------------------------------------------------
-- HTTP requests: rewriting what servers tolerate and a DPI may not
-------------------------------------------------------------------------------------------------------------

local function is_outgoing_http_req(ctx, desync)
	if not of_protocol(ctx, desync, "tcp") then return false end
	direction_cutoff_opposite(ctx, desync)
	return direction_check(desync) and desync.l7payload == "http_req"
end

-- The first header called `name` (lower case) of a dissected request, or nil.
local function find_header(request, name)
	for _, header in ipairs(request.headers) do
		if header.header_low == name then return header end
	end
end

-- Alternates the case of the host name: "example.com" -> "ExAmPlE.CoM".
-- Arguments: direction
-- Verdict: MODIFY if the packet's own payload holds the whole host name.
function http_domcase(ctx, desync)
	if not is_outgoing_http_req(ctx, desync) then return end
	local payload = desync.dis.payload
	local range = resolve_range(payload, desync.l7payload, "host,endhost", true)
	if not range then
		DLOG("http_domcase: no host in this packet")
		return
	end
	local host = payload:sub(range[1], range[2] - 1)
	host = host:gsub("(.)(.?)", function(odd, even)
		return odd:upper() .. even:lower()
	end)
	desync.dis.payload = payload:sub(1, range[1] - 1) .. host .. payload:sub(range[2])
	dlog_format("http_domcase: %s", host)
	return VERDICT_MODIFY
end

-- Respells the name of the Host header.
-- Arguments: direction
--   spell=<text> (host): 4 characters
-- Verdict: MODIFY if there is such a header.
function http_hostcase(ctx, desync)
	if not is_outgoing_http_req(ctx, desync) then return end
	local spell = desync.arg.spell or "host"
	if #spell ~= 4 then error("http_hostcase: invalid host spelling '" .. spell .. "'") end
	local payload = desync.dis.payload
	local request = http_dissect_req(payload)
	local header = request and find_header(request, "host")
	if not header then
		DLOG("http_hostcase: no 'Host' header")
		return
	end
	desync.dis.payload = payload:sub(1, header.pos_start - 1) .. spell .. payload:sub(header.pos_header_end + 1)
	dlog_format("http_hostcase: %s", spell)
	return VERDICT_MODIFY
end

-- Puts an empty line before the request; the User-Agent value pays for it with its last two bytes.
-- Arguments: direction
-- Positions move by 2, so let it be the last of the HTTP functions.
-- Verdict: MODIFY if there is a User-Agent value of at least 3 bytes.
function http_methodeol(ctx, desync)
	if not is_outgoing_http_req(ctx, desync) then return end
	local payload = desync.dis.payload
	local request = http_dissect_req(payload)
	local agent = request and find_header(request, "user-agent")
	if not agent or agent.pos_end - agent.pos_value_start < 2 then
		DLOG("http_methodeol: no 'User-Agent' header, or it is too short")
		return
	end
	desync.dis.payload = "\r\n" .. payload:sub(1, agent.pos_end - 2) .. payload:sub(agent.pos_end + 1)
	DLOG("http_methodeol")
	return VERDICT_MODIFY
end

-- Ends lines with LF instead of CRLF; blanks after the User-Agent value keep the length.
-- Arguments: direction
-- Verdict: MODIFY if there is a User-Agent header and the length could be kept.
function http_unixeol(ctx, desync)
	if not is_outgoing_http_req(ctx, desync) then return end
	local payload = desync.dis.payload
	local request = http_dissect_req(payload)
	local agent = request and find_header(request, "user-agent")
	if not agent then
		DLOG("http_unixeol: no 'User-Agent' header")
		return
	end
	local saved = #payload - #http_reconstruct_req(request, true)
	if saved < 0 then
		DLOG("http_unixeol: the request would become longer")
		return
	end
	agent.value = agent.value .. string.rep(" ", saved)
	desync.dis.payload = http_reconstruct_req(request, true)
	DLOG("http_unixeol")
	return VERDICT_MODIFY
end


-------------------------------------------------------------------------------------------------------------
-- TCP handshake and window
-------------------------------------------------------------------------------------------------------------

-- Answers a SYN with separate SYN and ACK packets (server side).
-- Arguments: rawsend, reconstruct, ipfrag
--   mode=synack|syn|acksyn (synack): SYN then ACK, SYN only, ACK then SYN
-- Sends copies of the SYN,ACK by plain send. Verdict: DROP if all were sent. Any other packet cuts off.
function synack_split(ctx, desync)
	if not of_protocol(ctx, desync, "tcp") then return end
	if not is_syn_ack(desync.dis.tcp) then
		instance_cutoff_shim(ctx, desync)
		return
	end
	local opts = desync_opts(desync)
	local function send_without(flag)
		local dis = deepcopy(desync.dis)
		change_flags(dis.tcp, flag, 0)
		return rawsend_dissect_ipfrag(dis, opts)
	end
	local mode = desync.arg.mode or "synack"
	dlog_format("synack_split: mode %s", mode)
	local sent
	if mode == "synack" then
		sent = send_without(TH_ACK) and send_without(TH_SYN)
	elseif mode == "syn" then
		sent = send_without(TH_ACK)
	elseif mode == "acksyn" then
		sent = send_without(TH_SYN) and send_without(TH_ACK)
	else
		error("synack_split: invalid mode '" .. mode .. "'")
	end
	return sent and VERDICT_DROP or VERDICT_PASS
end

-- Sends a SYN,ACK before the client's SYN, so that a DPI mistakes the roles.
-- Arguments: rawsend, reconstruct, ipfrag
-- Sends a copy of the SYN with ACK added by plain send. Verdict: PASS. Any other packet cuts off.
function synack(ctx, desync)
	if not of_protocol(ctx, desync, "tcp") then return end
	if not is_syn(desync.dis.tcp) then
		instance_cutoff_shim(ctx, desync)
		return
	end
	local dis = deepcopy(desync.dis)
	change_flags(dis.tcp, 0, TH_ACK)
	DLOG("synack")
	rawsend_dissect_ipfrag(dis, desync_opts(desync))
end

-- Shrinks the window and scale factor of the SYN,ACK, so that the peer sends its first data in small segments.
-- Arguments: window
-- Verdict: MODIFY if something changed. Any other packet cuts off: at a client exclude its SYN with --out-range=x.
function wsize(ctx, desync)
	if not of_protocol(ctx, desync, "tcp") then return end
	if not is_syn_ack(desync.dis.tcp) then
		instance_cutoff_shim(ctx, desync)
		return
	end
	if wsize_rewrite(desync.dis, desync.arg) then return VERDICT_MODIFY end
end

-- The rewrite of wsize in every packet until data flows.
-- Arguments: direction, window
--   forced_cutoff=<payload types>: data of other types does not end the work
-- Verdict: MODIFY if something changed. The first data packet (of these types) is the last one handled.
function wssize(ctx, desync)
	if not of_protocol(ctx, desync, "tcp") then return end
	direction_cutoff_opposite(ctx, desync)
	if not direction_check(desync) then return end
	local changed = wsize_rewrite(desync.dis, desync.arg)
	local forced = desync.arg.forced_cutoff
	if #desync.dis.payload > 0 and (not forced or in_list(forced, desync.l7payload)) then
		dlog_format("wssize: cutoff by payload %s", desync.l7payload)
		instance_cutoff_shim(ctx, desync)
	end
	return changed and VERDICT_MODIFY or VERDICT_PASS
end

-- Puts data into the SYN.
-- Arguments: fooling, rawsend, reconstruct, ipfrag
--   blob=<blob> (16 zero bytes): the data
--   tls_mod=<list>: modifications of TLS data
-- Sends the SYN with the data by plain send, under its own ip id. Verdict: DROP if sent. Any other packet cuts off.
function syndata(ctx, desync)
	if not of_protocol(ctx, desync, "tcp") then return end
	if not is_syn(desync.dis.tcp) then
		instance_cutoff_shim(ctx, desync)
		return
	end
	local arg = desync.arg
	local dis = deepcopy(desync.dis)
	dis.payload = blob(desync, arg.blob, string.rep("\0", 16))
	apply_fooling(desync, dis)
	if arg.tls_mod then
		dis.payload = tls_mod_shim(desync, dis.payload, arg.tls_mod, nil) or dis.payload
	end
	DLOG("syndata")
	if rawsend_dissect_ipfrag(dis, desync_opts(desync)) then return VERDICT_DROP end
end


-------------------------------------------------------------------------------------------------------------
-- TLS
-------------------------------------------------------------------------------------------------------------

-- Prepares a modified copy of the client's own hello as a blob for later instances.
-- Arguments: direction, sni
--   blob=<new blob> (required): where to store it; it lives as long as the packet
--   fallback=<blob>: stored instead if there is no usable hello
-- Sends nothing. Verdict: PASS.
function tls_client_hello_clone(ctx, desync)
	if not of_protocol(ctx, desync, "tcp") then return end
	direction_cutoff_opposite(ctx, desync)
	if not direction_check(desync) then return end
	local arg = desync.arg
	if not arg.blob then error("tls_client_hello_clone: 'blob' argument is required") end
	if desync.l7payload == "tls_client_hello" then
		local clone = tls_client_hello_mod(message(desync), arg)
		if clone then
			dlog_format("tls_client_hello_clone: stored '%s', %s bytes", arg.blob, #clone)
			desync[arg.blob] = clone
		end
	end
	if arg.fallback and not desync[arg.blob] then
		dlog_format("tls_client_hello_clone: stored fallback '%s' as '%s'", arg.fallback, arg.blob)
		desync[arg.blob] = blob(desync, arg.fallback)
	end
end


-------------------------------------------------------------------------------------------------------------
-- The common frame of the segmenting functions
-------------------------------------------------------------------------------------------------------------

-- The data to segment: blob, whole message or payload; nil if the packet is not for this instance.
local function data_to_split(desync)
	local arg = desync.arg
	if arg.optional and arg.blob and not blob_exist(desync, arg.blob) then
		dlog_format("%s: blob '%s' is missing, skipped", desync.func, arg.blob)
		return nil
	end
	local data = arg.blob and blob(desync, arg.blob) or message(desync)
	if #data > 0 and direction_check(desync) and payload_check(desync) then return data end
end

local function drop_unless_nodrop(desync)
	return desync.arg.nodrop and VERDICT_PASS or VERDICT_DROP
end

-- Runs send_parts(desync, data) on a single packet or on the first piece of a replay, when the whole message is known.
-- It returns true (all parts are out), false (a send failed), or nil (the positions do not exist in the data).
-- Once the message is out, the remaining pieces of the replay are dropped. Returns nothing if there was nothing to do.
local function split_message(ctx, desync, send_parts)
	if not of_protocol(ctx, desync, "tcp") then return end
	direction_cutoff_opposite(ctx, desync)
	local data = data_to_split(desync)
	if not data then return end
	if replay_first(desync) then
		local sent = send_parts(desync, data)
		if sent then
			replay_drop_set(desync)
			return drop_unless_nodrop(desync)
		elseif sent == false then
			return VERDICT_PASS
		end
		dlog_format("%s: positions cannot be resolved", desync.func)
	end
	if replay_drop(desync) then return drop_unless_nodrop(desync) end
end

-- Sends bytes first..last of data where they belong in the stream.
local function send_range(desync, data, first, last, opts)
	dlog_format("%s: sending bytes %s-%s", desync.func, first, last)
	return rawsend_payload_segmented(desync, data:sub(first, last), first - 1, opts)
end

-- Options of a decoy and of a genuine part. Genuine parts must arrive: no fooling that could kill them, no badsum, no
-- repeats. Neither is fragmented.
local function decoy_and_genuine_opts(desync)
	local arg = desync.arg
	local decoy = {
		rawsend = rawsend_opts(desync), reconstruct = reconstruct_opts(desync), ipfrag = {}, ipid = arg,
		fooling = arg
	}
	local genuine = {
		rawsend = rawsend_opts_base(desync), reconstruct = {}, ipfrag = {}, ipid = arg,
		fooling = { tcp_ts_up = arg.tcp_ts_up }
	}
	return decoy, genuine
end


-------------------------------------------------------------------------------------------------------------
-- Splitting
-------------------------------------------------------------------------------------------------------------

local function multisplit_parts(desync, data)
	local arg = desync.arg
	local pos = delete_pos_1(resolve_multi_pos(data, desync.l7payload, arg.pos or "2"))
	if #pos == 0 then return nil end
	local seqovl = overlap_size(desync)
	local opts = desync_opts(desync)
	dlog_format("multisplit: positions %s seqovl %s", table.concat(pos, ","), seqovl)
	local first_part = overlap_bytes(desync, seqovl) .. data:sub(1, pos[1] - 1)
	if not rawsend_payload_segmented(desync, first_part, -seqovl, opts) then return false end
	for i = 1, #pos do
		if not send_range(desync, data, pos[i], (pos[i + 1] or #data + 1) - 1, opts) then
			return false
		end
	end
	return true
end

-- Sends the message in several segments.
-- Arguments: direction, payload, fooling, ipid, rawsend, reconstruct, ipfrag
--   pos=<markers> (2): where the parts begin
--   seqovl=<bytes> (0): bytes before the first part, at sequence numbers already passed
--   seqovl_pattern=<blob> (zeros): content of these bytes
--   blob=<blob>: sent instead of the message
--   optional: skip if blob is missing, zeros if seqovl_pattern is
--   nodrop: keep the original
-- Sends the parts in order by segmented send. Verdict: DROP if all were sent.
function multisplit(ctx, desync)
	return split_message(ctx, desync, multisplit_parts)
end

-- Translates position `pos` of a whole into its range low <= pos < high; nil outside.
function pos_normalize(pos, low, high)
	if pos >= low and pos < high then return pos - low + 1 end
	return nil
end

-- pos_normalize for an array, in place; positions outside of the range are removed.
function pos_array_normalize(positions, low, high)
	local kept = 0
	for i = 1, #positions do
		local pos = pos_normalize(positions[i], low, high)
		positions[i] = nil
		if pos then
			kept = kept + 1
			positions[kept] = pos
		end
	end
	return positions
end

-- How many of `overlap` bytes in front of the second part may be pattern, if the first part, which is sent last, has
-- `size` bytes. A stack keeps what came first, except what one segment in sequence covers; so if the first part takes
-- more than one segment, only its last one overwrites anything.
local function overlap_limited(desync, overlap, size, options)
	if overlap < 1 then return 0 end
	local segment = deepcopy(desync.dis)
	apply_fooling(desync, segment, options.fooling)
	local room = desync.tcp_mss - l3l4_extra_len(segment)
	if room < 1 or size <= room then return overlap end
	local most = (size - 1) % room
	if overlap <= most then return overlap end
	dlog_format("%s: seqovl reduced from %d to %d: the %d bytes in front take more than one segment of %d",
		desync.func, overlap, most, size, room)
	return most
end

-- Sends `data` cut at `positions` (at least one), last part first, with the desync arguments.
-- seqovl : 1-based position or nil. The bytes before it overlap in front of the second part, which is sent last but one;
--          the first part then overwrites them. This works only while they lie inside of the first part, and inside of
--          its last segment if it takes several: what is more is left out.
-- Returns true if all parts were sent.
function multidisorder_send(desync, data, positions, seqovl)
	local overlap = seqovl and seqovl - 1 or 0
	if seqovl and seqovl >= positions[1] then
		dlog_format("multidisorder: seqovl cancelled because it is not less than the first position %s", positions[1] - 1)
		overlap = 0
	end
	local opts = desync_opts(desync)
	overlap = overlap_limited(desync, overlap, positions[1] - 1, opts)
	dlog_format("multidisorder: positions %s seqovl %s", table.concat(positions, ","), overlap)
	for i = #positions, 1, -1 do
		local first = positions[i]
		local part = data:sub(first, (positions[i + 1] or #data + 1) - 1)
		local seq = first - 1
		if i == 1 then
			part = overlap_bytes(desync, overlap) .. part
			seq = seq - overlap
		end
		if not rawsend_payload_segmented(desync, part, seq, opts) then return false end
	end
	return send_range(desync, data, 1, positions[1] - 1, opts)
end

local function multidisorder_parts(desync, data)
	local pos = delete_pos_1(resolve_multi_pos(data, desync.l7payload, desync.arg.pos or "2"))
	if #pos == 0 then return nil end
	return multidisorder_send(desync, data, pos, overlap_marker(desync, data))
end

-- Sends the message in several segments, the last one first.
-- Arguments: direction, payload, fooling, ipid, rawsend, reconstruct, ipfrag
--   pos=<markers> (2): where the parts begin
--   seqovl=<marker>: bytes before it overlap in front of the second part
--   seqovl_pattern=<blob> (zeros): content of these bytes
--   blob=<blob>: sent instead of the message
--   optional: skip if blob is missing, zeros if seqovl_pattern is
--   nodrop: keep the original
-- Sends the parts in reverse order by segmented send. Verdict: DROP if all were sent.
function multidisorder(ctx, desync)
	return split_message(ctx, desync, multidisorder_parts)
end

-- As multidisorder, but each piece of a message is reordered within itself.
-- Arguments: direction, payload, fooling, ipid, rawsend, reconstruct, ipfrag
--   pos=<markers> (2): where the parts begin, in the whole message
--   seqovl=<marker>: bytes before it overlap in front of the second part; in the whole message
--   seqovl_pattern=<blob> (zeros): content of these bytes
--   optional: zeros if seqovl_pattern is missing
-- Sends the parts of the piece in reverse order by segmented send. A piece without positions is sent again as a whole:
-- beware of fooling that would kill it. Verdict: DROP if sent.
function multidisorder_legacy(ctx, desync)
	if not of_protocol(ctx, desync, "tcp") then return end
	direction_cutoff_opposite(ctx, desync)
	local data = desync.dis.payload
	if not (#data > 0 and direction_check(desync) and payload_check(desync)) then return end
	local whole = message(desync)
	local low = desync.reasm_offset + 1
	local high = low + #data
	local pos = resolve_multi_pos(whole, desync.l7payload, desync.arg.pos or "2")
	delete_pos_1(pos_array_normalize(pos, low, high))
	local sent
	if #pos > 0 then
		local seqovl = overlap_marker(desync, whole)
		sent = multidisorder_send(desync, data, pos, seqovl and pos_normalize(seqovl, low, high))
	else
		DLOG("multidisorder_legacy: no positions in this packet, sending it again with all fooling")
		sent = rawsend_payload_segmented(desync)
	end
	return sent and VERDICT_DROP or VERDICT_PASS
end

-- Sends one segment of the message.
-- Arguments: direction, payload, fooling, ipid, rawsend, reconstruct, ipfrag
--   pos=<markers> (required): first and last byte, both included
--   seqovl=<bytes> (0): bytes before it
--   seqovl_pattern=<blob> (zeros): content of these bytes
--   blob=<blob>: cut instead of the message
--   optional: skip if blob is missing, zeros if seqovl_pattern is
-- Sends the range by segmented send, in a replay once, with the first piece. Verdict: PASS.
function tcpseg(ctx, desync)
	if not of_protocol(ctx, desync, "tcp") then return end
	direction_cutoff_opposite(ctx, desync)
	local arg = desync.arg
	if not arg.pos then error("tcpseg: 'pos' argument is required") end
	local data = data_to_split(desync)
	if not data or not replay_first(desync) then return end
	local range = resolve_range(data, desync.l7payload, arg.pos)
	if not range then
		dlog_format("tcpseg: range %s cannot be resolved", arg.pos)
		return
	end
	local seqovl = overlap_size(desync)
	dlog_format("tcpseg: range %s-%s seqovl %s", range[1], range[2], seqovl)
	rawsend_payload_segmented(desync, overlap_bytes(desync, seqovl) .. data:sub(range[1], range[2]), range[1] - 1 - seqovl)
end


-------------------------------------------------------------------------------------------------------------
-- Splitting among decoys
-------------------------------------------------------------------------------------------------------------

-- Sends genuine bytes between two decoys, each of which can be left out.
local function send_among_decoys(desync, part, decoy_opts, genuine_opts, skip_before, skip_after)
	return (skip_before or rawsend_payload_segmented(desync, part.decoy, part.decoy_seq, decoy_opts))
		and rawsend_payload_segmented(desync, part.genuine, part.genuine_seq, genuine_opts)
		and (skip_after or rawsend_payload_segmented(desync, part.decoy, part.decoy_seq, decoy_opts))
		and true or false
end

-- Cuts data at the marker `pos` into two parts with their decoys; nil if there are no two parts.
local function decoyed_halves(desync, data)
	local marker = desync.arg.pos or "2"
	local pos = resolve_pos(data, desync.l7payload, marker)
	if not pos or pos == 1 then return nil end
	dlog_format("%s: position %s of %s", desync.func, pos, #data)
	local pat = pattern_blob(desync, "pattern")
	local head = {
		genuine = data:sub(1, pos - 1), genuine_seq = 0,
		decoy = pattern(pat, 1, pos - 1), decoy_seq = 0
	}
	local tail = {
		genuine = data:sub(pos), genuine_seq = pos - 1,
		decoy = pattern(pat, pos, #data - pos + 1), decoy_seq = pos - 1
	}
	return head, tail
end

-- Puts `overlap` pattern bytes in front of the genuine bytes.
local function add_overlap(desync, part, overlap)
	part.genuine = overlap_bytes(desync, overlap) .. part.genuine
	part.genuine_seq = part.genuine_seq - overlap
end

local function fakedsplit_parts(desync, data)
	local head, tail = decoyed_halves(desync, data)
	if not head then return nil end
	add_overlap(desync, head, overlap_size(desync))
	local arg = desync.arg
	local decoy_opts, genuine_opts = decoy_and_genuine_opts(desync)
	return send_among_decoys(desync, head, decoy_opts, genuine_opts, arg.nofake1, arg.nofake2)
		and send_among_decoys(desync, tail, decoy_opts, genuine_opts, arg.nofake3, arg.nofake4)
end

-- Sends the message in two segments, each between decoys of the same size and place.
-- Arguments: direction, payload, fooling (decoys only, except tcp_ts_up), ipid, rawsend (repeats: decoys only),
--            reconstruct (decoys only), not ipfrag
--   nofake1, nofake2, nofake3, nofake4: leave a decoy out
--   pos=<marker> (2): where the second part begins
--   pattern=<blob> (zeros): content of the decoys, aligned to the start of the message
--   seqovl=<bytes> (0): bytes before genuine part 1
--   seqovl_pattern=<blob> (zeros): content of these bytes
--   blob=<blob>: sent instead of the message
--   optional: skip if blob is missing, zeros if a pattern is
--   nodrop: keep the original
-- Sends decoy1, part 1, decoy1, decoy2, part 2, decoy2 by segmented send. Verdict: DROP if all were sent.
function fakedsplit(ctx, desync)
	return split_message(ctx, desync, fakedsplit_parts)
end

local function fakeddisorder_parts(desync, data)
	local head, tail = decoyed_halves(desync, data)
	if not head then return nil end
	local arg = desync.arg
	local decoy_opts, genuine_opts = decoy_and_genuine_opts(desync)
	local seqovl = overlap_marker(desync, data)
	if seqovl then
		-- the overlap must lie inside of the first part, which overwrites it
		if seqovl - 1 < #head.genuine then
			add_overlap(desync, tail, overlap_limited(desync, seqovl - 1, #head.genuine, genuine_opts))
		else
			DLOG("fakeddisorder: seqovl cancelled because it is not less than the split position")
		end
	end
	return send_among_decoys(desync, tail, decoy_opts, genuine_opts, arg.nofake1, arg.nofake2)
		and send_among_decoys(desync, head, decoy_opts, genuine_opts, arg.nofake3, arg.nofake4)
end

-- As fakedsplit, but the second part first.
-- Arguments: direction, payload, fooling (decoys only, except tcp_ts_up), ipid, rawsend (repeats: decoys only),
--            reconstruct (decoys only), not ipfrag
--   nofake1, nofake2, nofake3, nofake4: leave a decoy out
--   pos=<marker> (2): where the second part begins
--   pattern=<blob> (zeros): content of the decoys, aligned to the start of the message
--   seqovl=<marker>: bytes before it overlap in front of genuine part 2
--   seqovl_pattern=<blob> (zeros): content of these bytes
--   blob=<blob>: sent instead of the message
--   optional: skip if blob is missing, zeros if a pattern is
--   nodrop: keep the original
-- Sends decoy2, part 2, decoy2, decoy1, part 1, decoy1 (nofake1..nofake4 in this order) by segmented send.
-- Verdict: DROP if all were sent.
function fakeddisorder(ctx, desync)
	return split_message(ctx, desync, fakeddisorder_parts)
end

-- Sends bytes first..last, cut before byte `middle` if there is one; with `disorder` the second half goes first.
local function send_range_cut(desync, data, first, last, middle, disorder, opts)
	if not middle then
		return send_range(desync, data, first, last, opts)
	elseif disorder then
		return send_range(desync, data, middle, last, opts) and send_range(desync, data, first, middle - 1, opts)
	end
	return send_range(desync, data, first, middle - 1, opts) and send_range(desync, data, middle, last, opts)
end

-- Resolves a marker that must lie behind byte `low` and not behind byte `high`.
local function resolve_between(desync, data, marker, low, high)
	local pos = marker and resolve_pos(data, desync.l7payload, marker)
	if pos and pos > low and pos <= high then return pos end
	if marker then dlog_format("%s: marker '%s' is not usable, ignored", desync.func, marker) end
	return nil
end

local function hostfakesplit_parts(desync, data)
	local arg = desync.arg
	local range = resolve_range(data, desync.l7payload, "host,endhost-1", true)
	if not range then return nil end
	local first, last = range[1], range[2]
	local midhost = resolve_between(desync, data, arg.midhost, first, last)
	local disorder_after = arg.disorder_after == "" and "-1" or arg.disorder_after
	local rest_cut = resolve_between(desync, data, disorder_after, last + 1, #data)
	local decoy = genhost(last - first + 1, arg.host)
	local decoy_opts, genuine_opts = decoy_and_genuine_opts(desync)
	dlog_format("hostfakesplit: host at %s-%s, decoy '%s'", first, last, decoy)
	local function send_decoy(skip)
		return skip or rawsend_payload_segmented(desync, decoy, first - 1, decoy_opts)
	end
	return send_range(desync, data, 1, first - 1, genuine_opts)
		and send_decoy(arg.nofake1)
		and send_range_cut(desync, data, first, last, midhost, false, genuine_opts)
		and send_decoy(arg.nofake2)
		and send_range_cut(desync, data, last + 1, #data, rest_cut, true, genuine_opts)
		and true or false
end

-- Sends the host name in a segment of its own between two decoys.
-- Arguments: direction, payload, fooling (decoys only, except tcp_ts_up), ipid, rawsend (repeats: decoys only),
--            reconstruct (decoys only), not ipfrag
--   host=<name> (random): what the decoy is made of
--   midhost=<marker>: cut the name there
--   disorder_after=<marker> (if empty -1): from there on the rest is sent before the bytes in front of it
--   nofake1, nofake2: leave a decoy out
--   blob=<blob>: sent instead of the message
--   optional: skip if blob is missing
--   nodrop: keep the original
-- Sends bytes before the host, decoy, host, decoy, the rest by segmented send. Verdict: DROP if all were sent.
function hostfakesplit(ctx, desync)
	return split_message(ctx, desync, hostfakesplit_parts)
end


-------------------------------------------------------------------------------------------------------------
-- TCP urgent data
-------------------------------------------------------------------------------------------------------------

-- The byte that is sent out of band.
local function oob_byte(arg)
	local byte = arg.char
	if not byte then
		local code = tonumber(arg.byte or 0)
		if not code or code < 0 or code > 255 then
			error("oob: 'byte' must be 0..255, got '" .. arg.byte .. "'")
		end
		byte = bu8(code)
	end
	if #byte ~= 1 then error("oob: 'char' must be one byte, got '" .. byte .. "'") end
	return byte
end

-- Where the byte goes: number of data bytes before it and the urgent pointer; nil if the marker cannot be resolved.
local function oob_place(desync, data)
	local urp = desync.arg.urp or "b"
	if urp == "b" then
		return 0, 0
	elseif urp == "e" then
		return #data, #data + 1
	end
	local before = resolve_pos(data, desync.l7payload, urp, true)
	if before then return before, before + 1 end
	return nil
end

-- The first data packet: sends the whole message with the byte inside, one sequence number earlier.
local function oob_send_message(ctx, desync)
	local data = message(desync)
	local byte = oob_byte(desync.arg)
	local before, pointer = oob_place(desync, data)
	if not before then
		dlog_format("oob: marker '%s' cannot be resolved", desync.arg.urp)
		instance_cutoff_shim(ctx, desync)
		return VERDICT_PASS
	end
	local dis = deepcopy(desync.dis)
	dis.tcp.th_seq = u32add(dis.tcp.th_seq, -1)
	dis.tcp.th_urp = pointer
	change_flags(dis.tcp, 0, TH_URG)
	dis.payload = data:sub(1, before) .. byte .. data:sub(before + 1)
	dlog_format("oob: byte after %s bytes of data, urgent pointer %s", before, pointer)
	local sent = rawsend_dissect_segmented(desync, dis, desync.tcp_mss, desync_opts(desync))
	if not sent or not desync.replay then instance_cutoff_shim(ctx, desync) end
	return sent and VERDICT_DROP or VERDICT_PASS
end

local function oob_outgoing(ctx, desync)
	local seq = pos_get(desync, "s")
	if seq > 1 then
		-- pieces of a message that is already out
		if not desync.replay or desync.replay_piece_last then instance_cutoff_shim(ctx, desync) end
		return desync.replay and VERDICT_DROP or VERDICT_PASS
	end
	if seq == 1 and #desync.dis.payload > 0 then return oob_send_message(ctx, desync) end
	local tcp = desync.dis.tcp
	tcp.th_seq = u32add(tcp.th_seq, -1)
	return VERDICT_MODIFY
end

-- Smuggles one urgent byte into the message. The server's application does not see it, a DPI may take it for data.
-- Arguments: fooling, ipid, rawsend, reconstruct, ipfrag
--   char=<character>: the byte
--   byte=<0..255> (0): the byte as a number
--   urp=b|e|<marker> (b): insert at the begin, at the end, before the marker
-- The byte needs a sequence number, so the handshake is shifted: outgoing SYN and ACK by -1, acknowledgments of incoming
-- packets by +1 (let them in with --in-range=-s1). Needs conntrack and the connection's SYN.
-- Sends the message with the byte by segmented send; the argument groups are for this packet.
-- Verdict: MODIFY in the handshake, DROP for the message if sent. Then the instance cuts off.
function oob(ctx, desync)
	if not of_protocol(ctx, desync, "tcp") then return end
	if not desync.track then
		DLOG("oob: conntrack is required")
		return
	end
	local tcp = desync.dis.tcp
	local state, key = desync.track.lua_state, desync.func_instance .. "_syn"
	if not state[key] then
		if not is_syn(tcp) then
			DLOG("oob: the connection has begun without us")
			instance_cutoff_shim(ctx, desync)
			return
		end
		state[key] = true
	end
	if desync.outgoing then return oob_outgoing(ctx, desync) end
	if pos_get(desync, "s", true) > 1 then
		instance_cutoff_shim(ctx, desync)
		return
	end
	tcp.th_ack = u32add(tcp.th_ack, 1)
	return VERDICT_MODIFY
end


-------------------------------------------------------------------------------------------------------------
-- UDP
-------------------------------------------------------------------------------------------------------------

-- The numeric argument `name`, or `default` if it is absent.
local function number_arg(desync, name, default)
	local text = desync.arg[name]
	if not text then return default end
	local value = tonumber(text)
	if not value then
		error(desync.func .. ": " .. name .. " must be a number, got '" .. text .. "'")
	end
	return value
end

-- Changes the length of UDP payloads.
-- Arguments: direction, payload
--   min=<bytes>: shorter packets stay as they are
--   max=<bytes>: longer packets stay as they are
--   increment=<number> (2): bytes to append, negative: to cut
--   pattern=<blob> (zeros): content of the appended bytes
--   pattern_offset=<number> (0): where in the pattern they begin, counted from 0
-- Sends nothing. Verdict: MODIFY if the length changed.
function udplen(ctx, desync)
	if not of_protocol(ctx, desync, "udp") then return end
	direction_cutoff_opposite(ctx, desync)
	if not (direction_check(desync) and payload_check(desync)) then return end
	local arg, dis = desync.arg, desync.dis
	local size = #dis.payload
	if size < number_arg(desync, "min", 0) or size > number_arg(desync, "max", size) then
		dlog_format("udplen: %s bytes are out of range", size)
		return
	end
	local increment = tonumber(arg.increment) or 2
	if increment > 0 then
		local offset = number_arg(desync, "pattern_offset", 0)
		dis.payload = dis.payload .. pattern(blob(desync, arg.pattern, "\0"), offset + 1, increment)
	elseif increment < 0 and size + increment >= 1 then
		dis.payload = dis.payload:sub(1, size + increment)
	else
		DLOG("udplen: nothing to change")
		return
	end
	dlog_format("udplen: %s => %s", size, #dis.payload)
	return VERDICT_MODIFY
end

-- Hides the signature "d1:" of DHT messages behind a new first dictionary entry.
-- Arguments: direction
--   dn=<number> (3): length of its all-zero key
-- Sends nothing. Verdict: MODIFY for payload dht.
function dht_dn(ctx, desync)
	if not of_protocol(ctx, desync, "udp") then return end
	direction_cutoff_opposite(ctx, desync)
	if direction_check(desync) and desync.l7payload == "dht" then
		local len = math.floor(tonumber(desync.arg.dn) or 3)
		desync.dis.payload = "d" .. len .. ":" .. string.rep("0", len) .. "1:x" .. desync.dis.payload:sub(2)
		DLOG("dht_dn")
		return VERDICT_MODIFY
	end
end
