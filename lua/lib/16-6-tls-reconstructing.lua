-- 16.6 Reconstructing -------------------------------------------------------------------------------------
-- What was not changed since it was dissected keeps its bytes, even where another encoding is possible.

-- Rebuilds ext.data from ext.dis, if there is one. Returns true if there is data.
function tls_reconstruct_ext(ext)
	if ext.dis then
		local format, list = EXT_FORMATS[ext.type], ext.dis.list
		if not format or not list then
			ext.data = nil
		elseif not ext.data or not same_tree(list, read_list(format, ext.data)) then
			ext.data = write_list(format, list)
		end
	end
	return type(ext.data) == "string"
end

-- Is there a whole message at the beginning of handshake.data?
local function has_whole_message(handshake)
	local data = handshake.data
	return data and #data >= 4 and tls_handshake_full(data)
end

-- Does handshake.data still say what handshake.dis says? A cut message never does.
local function is_hello_unchanged(handshake)
	if not has_whole_message(handshake) then return false end
	local current = { data = handshake.data }
	tls_dissect_handshake(current)
	return current.dis and current.dis.type == handshake.type and same_tree(current.dis, handshake.dis)
end

-- Bytes of the extension block; nil if an extension cannot be rebuilt.
local function hello_ext_block(ext_list)
	local parts = {}
	for i, ext in ipairs(ext_list or {}) do
		if not tls_reconstruct_ext(ext) then return nil end
		parts[i] = bu16(ext.type) .. bu16(#ext.data) .. ext.data
	end
	local block = table.concat(parts)
	return bu16(#block) .. block
end

-- Cipher suites and compression methods; nil if a ServerHello lacks them.
local function hello_suites(dis)
	if dis.type == TLS_HANDSHAKE_TYPE_SERVER then
		local suite, method = dis.cipher_suite, dis.compression_method
		return suite and method and bu16(suite) .. bu8(method)
	end
	local suites = barray(dis.cipher_suites or {}, bu16)
	local methods = barray(dis.compression_methods or {}, bu8)
	return bu16(#suites) .. suites .. bu8(#methods) .. methods
end

-- Bytes of a hello message; nil if a part cannot be rebuilt.
local function build_hello(handshake)
	local dis = handshake.dis
	local suites = hello_suites(dis)
	local ext_block = hello_ext_block(dis.ext)
	if not suites or not ext_block then return nil end

	local random = dis.random
	if not random or #random ~= 32 then random = brandom(32) end
	local session_id = dis.session_id or ""
	local body = bu16(dis.ver or TLS_VER_TLS12) .. random .. bu8(#session_id) .. session_id .. suites .. ext_block
	return bu8(handshake.type) .. bu24(#body) .. body
end

-- Further messages that follow the first one in handshake.data.
local function following_messages(handshake)
	if not has_whole_message(handshake) then return "" end
	return handshake.data:sub(tls_handshake_len(handshake.data) + 1)
end

-- Rebuilds handshake.data from handshake.dis if that is a hello. Returns true if there is data.
function tls_reconstruct_handshake(handshake)
	if type(handshake) ~= "table" then return false end
	local dis = handshake.dis
	local is_hello = dis and (dis.type == TLS_HANDSHAKE_TYPE_CLIENT or dis.type == TLS_HANDSHAKE_TYPE_SERVER)
	if is_hello and not is_hello_unchanged(handshake) then
		local hello = build_hello(handshake)
		handshake.data = hello and hello .. following_messages(handshake)
	end
	return type(handshake.data) == "string"
end

-- Handshake type whose data the record carries a piece of; nil if it carries its own data.
local function record_handshake_type(record, handshakes)
	if record.type ~= TLS_RECORD_TYPE_HANDSHAKE or record.encrypted then return nil end
	local handshake = handshakes[record.htype or false]
	return handshake and handshake.data and record.htype
end

-- Gives handshake data to the records first..last. Each but the last keeps its length as long as data lasts.
local function distribute_handshake(rec, first, last, data)
	local pos = 1
	for i = first, last do
		local record = rec[i]
		record.data = i < last and data:sub(pos, pos + record.len - 1) or data:sub(pos)
		record.len = #record.data
		pos = pos + record.len
	end
end

-- Bytes of a dissected TLS stream or bare handshake; nil if something cannot be rebuilt.
-- Handshakes are distributed over their records again. Records that got empty are omitted.
function tls_reconstruct(tdis)
	local handshakes = tdis.handshake or {}
	for _, handshake in pairs(handshakes) do
		if not tls_reconstruct_handshake(handshake) then return nil end
	end

	local rec = tdis.rec
	if not rec then
		local htype, handshake = next(handshakes)
		return htype and next(handshakes, htype) == nil and handshake.data or nil
	end

	local first = 1
	while first <= #rec do
		local last = first
		local htype = record_handshake_type(rec[first], handshakes)
		if htype then
			while rec[last + 1] and record_handshake_type(rec[last + 1], handshakes) == htype do last = last + 1 end
			distribute_handshake(rec, first, last, handshakes[htype].data)
		end
		first = last + 1
	end

	local parts = {}
	for _, record in ipairs(rec) do
		local data = record.data
		if not data then return nil end
		local was_empty = record.len == 0 and not record.htype
		if #data > 0 or was_empty then
			parts[#parts + 1] = bu8(record.type) .. bu16(record.ver) .. bu16(#data) .. data
		end
	end
	return table.concat(parts)
end
