-- 16.5 Dissecting -----------------------------------------------------------------------------------------

-- Parses ext.data by ext.type. Sets ext.dis={list=...} if the format is known and followed, else ext.dis=nil.
function tls_dissect_ext(ext)
	local format = EXT_FORMATS[ext.type]
	local list = format and read_list(format, ext.data)
	ext.dis = list and { list = list }
end

local function read_numbers(data, pos, len, size)
	local read = size == 1 and u8 or u16
	local numbers = {}
	for p = pos, pos + len - size, size do
		numbers[#numbers + 1] = read(data, p)
	end
	return numbers
end

-- Reads the fields between session id and extensions. Returns the position behind them, nil if cut.
local function read_hello_suites(dis, data, pos, last)
	if dis.type == TLS_HANDSHAKE_TYPE_SERVER then
		if pos + 2 > last then return nil end
		dis.cipher_suite = u16(data, pos)
		dis.compression_method = u8(data, pos + 2)
		return pos + 3
	end
	local suites_len = pos + 1 <= last and u16(data, pos)
	if not suites_len or pos + 1 + suites_len > last then return nil end
	dis.cipher_suites = read_numbers(data, pos + 2, suites_len, 2)
	pos = pos + 2 + suites_len
	local methods_len = pos <= last and u8(data, pos)
	if not methods_len or pos + methods_len > last then return nil end
	dis.compression_methods = read_numbers(data, pos + 1, methods_len, 1)
	return pos + 1 + methods_len
end

-- Reads extensions to dis.ext. Returns false if one of them is cut.
local function read_hello_ext(dis, data, pos, last)
	dis.ext = {}
	while pos + 3 <= last do
		local len = u16(data, pos + 2)
		if pos + 3 + len > last then return false end
		local ext_type = u16(data, pos)
		local ext = {
			type = ext_type,
			name = tostring(TLS_HELLO_EXT_NAMES[ext_type]),
			data = data:sub(pos + 4, pos + 3 + len),
		}
		if dis.type == TLS_HANDSHAKE_TYPE_CLIENT or not SERVER_RAW_EXT[ext_type] then
			tls_dissect_ext(ext)
		end
		dis.ext[#dis.ext + 1] = ext
		pos = pos + 4 + len
	end
	return true
end

-- Parses the hello in handshake.data to handshake.dis:
--   type, ver, name, random, session_id, cipher_suites, compression_methods (server: cipher_suite,
--   compression_method), ext = array of {type, name, data[, dis]}
-- Returns true if it is complete, else partialOK or false; fields read so far remain. No dis if it is no hello.
function tls_dissect_handshake(handshake, partialOK)
	if type(handshake) ~= "table" then return false end
	local data = handshake.data
	local incomplete = partialOK or false
	handshake.dis = nil
	if not is_tls_hello(data, 1, partialOK) then return false end

	local htype = tls_handshake_type(data)
	local dis = { type = htype, ver = u16(data, 5), name = TLS_HANDSHAKE_TYPE_NAMES[htype] }
	handshake.dis = dis

	local last = math.min(tls_handshake_len(data), #data)
	if last < 36 then return incomplete end
	dis.random = data:sub(7, math.min(38, last))
	local sid_len = last >= 39 and u8(data, 39)
	if not sid_len or 39 + sid_len > last then return incomplete end
	dis.session_id = data:sub(40, 39 + sid_len)

	local pos = read_hello_suites(dis, data, 40 + sid_len, last)
	if not pos then return incomplete end

	local complete = tls_handshake_full(data)
	if pos + 1 <= last then
		local ext_last = pos + 1 + u16(data, pos)
		if ext_last > last then
			if not partialOK then return false end
			ext_last, complete = last, false
		end
		complete = read_hello_ext(dis, data, pos + 2, ext_last) and complete
	end
	return complete or incomplete
end

-- Reads the record at pos. Returns it and the position behind.
local function read_record(tls, pos, encrypted)
	local ctype, len = tls_record_type(tls, pos), tls_record_data_len(tls, pos)
	local record = {
		type = ctype,
		name = tostring(TLS_RECORD_TYPE_NAMES[ctype]),
		len = len,
		ver = u16(tls, pos + 1),
		encrypted = encrypted,
		data = tls:sub(pos + 5, pos + 4 + len),
	}
	return record, pos + 5 + len
end

-- Joins the message that begins in the last record of rec with the following records, which are appended.
-- Returns the message (nil if not even its header is there) and the position behind its last record
-- (nil if the message is cut).
local function join_handshake(tls, pos, rec, partialOK)
	local first = #rec
	local parts, size = { rec[first].data }, #rec[first].data
	local message_len
	while true do
		if not message_len and size >= 4 then message_len = tls_handshake_len(table.concat(parts)) end
		if message_len and size >= message_len then break end
		if not is_tls_record(tls, pos, TLS_RECORD_TYPE_HANDSHAKE, partialOK) then
			pos = nil
			break
		end
		local record
		record, pos = read_record(tls, pos, false)
		record.not_first = true
		rec[#rec + 1] = record
		parts[#parts + 1] = record.data
		size = size + #record.data
	end
	if not message_len then return nil, pos end

	local data = table.concat(parts)
	local htype = tls_handshake_type(data)
	for i = first, #rec do rec[i].htype = htype end
	return { type = htype, name = TLS_HANDSHAKE_TYPE_NAMES[htype], data = data }, pos
end

-- Reads all records. Returns the array of records and the table of handshakes by type (nil if none);
-- nil if a handshake is cut and partialOK is not set.
local function read_records(tls, pos, partialOK)
	local rec, handshakes = {}, nil
	local encrypted = false
	while pos and is_tls_record(tls, pos, nil, partialOK) do
		local record
		record, pos = read_record(tls, pos, encrypted)
		rec[#rec + 1] = record
		if record.type == TLS_RECORD_TYPE_CHANGE_CIPHER_SPEC then
			encrypted = true
		elseif record.type == TLS_RECORD_TYPE_HANDSHAKE and not encrypted then
			local handshake
			handshake, pos = join_handshake(tls, pos, rec, partialOK)
			if not pos and not partialOK then return nil end
			if handshake then
				handshakes = handshakes or {}
				handshakes[handshake.type] = handshake
			end
		end
	end
	return rec, handshakes
end

-- Parses TLS records, or a bare handshake message, at offset. Returns a table of rec and handshake; nothing if there is
-- neither.
-- partialOK : accept cut data
--   rec       : array of {type, name, len, ver, encrypted, data[, htype[, not_first]]}; absent without records
--   handshake : by handshake type {type, name, data[, dis]}; see tls_dissect_handshake for dis
function tls_dissect(tls, offset, partialOK)
	offset = offset or 1
	local rec, handshakes = read_records(tls, offset, partialOK)
	if not rec then return end
	if #rec == 0 then
		if not is_tls_handshake(tls, offset, nil, partialOK) then return end
		rec = nil
		local htype = tls_handshake_type(tls, offset)
		handshakes = {
			[htype] = { type = htype, name = TLS_HANDSHAKE_TYPE_NAMES[htype], data = tls:sub(offset) },
		}
	end
	if handshakes then
		local client, server = handshakes[TLS_HANDSHAKE_TYPE_CLIENT], handshakes[TLS_HANDSHAKE_TYPE_SERVER]
		if client then tls_dissect_handshake(client, partialOK) end
		if server then tls_dissect_handshake(server, partialOK) end
	end
	return { rec = rec, handshake = handshakes }
end
