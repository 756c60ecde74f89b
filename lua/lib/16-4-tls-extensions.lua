-- 16.4 Formats of the extensions that are taken apart -----------------------------------------------------
-- A format describes a list of items:
--   len_size : bytes of the length in front of the list; nil = the list is the whole extension
--   min_size : bytes an item needs at least
--   lax      : fewer bytes than min_size after the last item are ignored, otherwise they are an error
--   read     : f(data, pos, last) -> item, position behind it; nil if the item does not fit
--   write    : f(item) -> bytes; nil if the item cannot be encoded

-- `len` bytes at pos, and the position behind; nil if they do not fit.
local function read_bytes(data, pos, len, last)
	local next_pos = pos + len
	if next_pos <= last + 1 then return data:sub(pos, next_pos - 1), next_pos end
end

local function read_u8(data, pos) return u8(data, pos), pos + 1 end
local function write_u8(n) return bu8(n) end
local function read_u16(data, pos) return u16(data, pos), pos + 2 end
local function write_u16(n) return bu16(n) end

local function read_string8(data, pos, last)
	return read_bytes(data, pos + 1, u8(data, pos), last)
end

local function write_string8(s)
	return bu8(#s) .. s
end

local function read_server_name(data, pos, last)
	local name, next_pos = read_bytes(data, pos + 3, u16(data, pos + 1), last)
	return name and { type = u8(data, pos), name = name }, next_pos
end

local function write_server_name(item)
	return bu8(item.type or 0) .. bu16(#item.name) .. item.name
end

local function read_key_share(data, pos, last)
	local kex, next_pos = read_bytes(data, pos + 4, u16(data, pos + 2), last)
	return kex and { group = u16(data, pos), kex = kex }, next_pos
end

local function write_key_share(item)
	return bu16(item.group) .. bu16(#item.kex) .. item.kex
end

local function quic_tp(tp_type, data)
	return data and { type = tp_type, name = TLS_HANDSHAKE_QUIC_TP_NAMES[tp_type], data = data }
end

local function read_quic_tp_draft(data, pos, last)
	local value, next_pos = read_bytes(data, pos + 4, u16(data, pos + 2), last)
	return quic_tp(u16(data, pos), value), next_pos
end

local function write_quic_tp_draft(item)
	return bu16(item.type) .. bu16(#item.data) .. item.data
end

-- Types above this are not exact as a number of every Lua engine, so they stay the bytes of the packet.
local QUIC_TP_MAX_NUMBER = 2 ^ 52

local function read_quic_tp(data, pos, last)
	local tp_type, type_size = quic_tvb(data, pos)
	if not tp_type then return nil end
	if tp_type > QUIC_TP_MAX_NUMBER then tp_type = data:sub(pos, pos + type_size - 1) end
	local len, len_size = quic_tvb(data, pos + type_size)
	if not len then return nil end
	local value, next_pos = read_bytes(data, pos + type_size + len_size, len, last)
	return quic_tp(tp_type, value), next_pos
end

local function write_quic_tp(item)
	local tp_type = type(item.type) == "string" and item.type or bquic_tvb(item.type)
	return tp_type and tp_type .. bquic_tvb(#item.data) .. item.data
end

local U8_LIST8 = { len_size = 1, min_size = 1, read = read_u8, write = write_u8 }
local U16_LIST8 = { len_size = 1, min_size = 2, lax = true, read = read_u16, write = write_u16 }
local U16_LIST16 = { len_size = 2, min_size = 2, lax = true, read = read_u16, write = write_u16 }

local EXT_FORMATS = {
	[TLS_EXT_SERVER_NAME] = { len_size = 2, min_size = 3, read = read_server_name, write = write_server_name },
	[TLS_EXT_ALPN] = { len_size = 2, min_size = 1, read = read_string8, write = write_string8 },
	[TLS_EXT_SUPPORTED_VERSIONS] = U16_LIST8,
	[TLS_EXT_COMPRESS_CERTIFICATE] = U16_LIST8,
	[TLS_EXT_SIGNATURE_ALGORITHMS] = U16_LIST16,
	[TLS_EXT_DELEGATED_CREDENTIALS] = U16_LIST16,
	[TLS_EXT_SUPPORTED_GROUPS] = U16_LIST16,
	[TLS_EXT_EC_POINT_FORMATS] = U8_LIST8,
	[TLS_EXT_PSK_KEY_EXCHANGE_MODES] = U8_LIST8,
	[TLS_EXT_KEY_SHARE] = { len_size = 2, min_size = 4, read = read_key_share, write = write_key_share },
	[TLS_EXT_QUIC_TRANSPORT_PARAMETERS] = {
		len_size = 2, min_size = 4, read = read_quic_tp_draft, write = write_quic_tp_draft,
	},
	[TLS_EXT_QUIC_TRANSPORT_PARAMETERS_V1] = { min_size = 2, lax = true, read = read_quic_tp, write = write_quic_tp },
}

-- These have no list in a ServerHello.
local SERVER_RAW_EXT = {
	[TLS_EXT_SUPPORTED_VERSIONS] = true,
	[TLS_EXT_KEY_SHARE] = true,
}

-- Items of an extension; nil if the data does not follow the format.
local function read_list(format, data)
	local pos, last = 1, #data
	local len_size = format.len_size
	if len_size then
		if last < len_size then return nil end
		local len = len_size == 1 and u8(data) or u16(data)
		if len > last - len_size then return nil end
		pos, last = len_size + 1, len_size + len
	end
	local list = {}
	while pos + format.min_size - 1 <= last do
		local item, next_pos = format.read(data, pos, last)
		if not item then return nil end
		list[#list + 1] = item
		pos = next_pos
	end
	if pos <= last and not format.lax then return nil end
	return list
end

-- Bytes of an extension; nil if an item cannot be encoded.
local function write_list(format, list)
	local parts = {}
	for i, item in ipairs(list) do
		parts[i] = format.write(item)
		if not parts[i] then return nil end
	end
	local body = table.concat(parts)
	if format.len_size == 1 then return bu8(#body) .. body end
	if format.len_size == 2 then return bu16(#body) .. body end
	return body
end
