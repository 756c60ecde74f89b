-- 16.2 Predicates -----------------------------------------------------------------------------------------
-- Offsets are 1-based and 1 by default. Reading beyond the string is an error ("out of range").
-- partialOK: accept data that ends before the declared length.

-- Length of the record data, by its header.
function tls_record_data_len(tls, offset)
	return u16(tls, (offset or 1) + 3)
end

-- Is the record complete?
function tls_record_full(tls, offset)
	offset = offset or 1
	return tls_record_data_len(tls, offset) <= #tls - offset - 4
end

-- Content type of the record.
function tls_record_type(tls, offset)
	return u8(tls, offset or 1)
end

local function is_tls_version(ver)
	return ver >= TLS_VER_SSL30 and ver <= TLS_VER_TLS12
end

-- Is there a TLS record (of content type ctype if given)?
function is_tls_record(tls, offset, ctype, partialOK)
	offset = offset or 1
	if not tls or #tls - offset + 1 < 5 then return false end
	if ctype and tls_record_type(tls, offset) ~= ctype then return false end
	if not is_tls_version(u16(tls, offset + 1)) then return false end
	return partialOK and true or tls_record_full(tls, offset)
end

-- Length of the handshake body, by its header.
function tls_handshake_data_len(tls, offset)
	return u24(tls, (offset or 1) + 1)
end

-- Length of the handshake message with its header.
function tls_handshake_len(tls, offset)
	return tls_handshake_data_len(tls, offset) + 4
end

-- Is the handshake message complete?
function tls_handshake_full(tls, offset)
	offset = offset or 1
	return tls_handshake_len(tls, offset) <= #tls - offset + 1
end

-- Type of the handshake message.
function tls_handshake_type(tls, offset)
	return u8(tls, offset or 1)
end

-- Is the handshake type ClientHello or ServerHello?
function is_tls_handshake_type_hello(tls, offset)
	if not tls then return false end
	local htype = tls_handshake_type(tls, offset)
	return htype == TLS_HANDSHAKE_TYPE_CLIENT or htype == TLS_HANDSHAKE_TYPE_SERVER
end

-- Is there a handshake message (of type htype if given)?
function is_tls_handshake(tls, offset, htype, partialOK)
	offset = offset or 1
	if not tls or #tls - offset + 1 < 4 then return false end
	local found = tls_handshake_type(tls, offset)
	if htype and found ~= htype or not TLS_HANDSHAKE_TYPE_NAMES[found] then return false end
	if is_tls_handshake_type_hello(tls, offset) then
		if #tls - offset + 1 < 6 or not is_tls_version(u16(tls, offset + 4)) then return false end
	end
	return partialOK and true or tls_handshake_full(tls, offset)
end

-- Is there a ClientHello or ServerHello message?
function is_tls_hello(tls, offset, partialOK)
	return is_tls_handshake(tls, offset, TLS_HANDSHAKE_TYPE_CLIENT, partialOK)
		or is_tls_handshake(tls, offset, TLS_HANDSHAKE_TYPE_SERVER, partialOK)
end
