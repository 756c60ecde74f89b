-- 16.3 QUIC variable-length integers ----------------------------------------------------------------------

local TWO48 = 0x1000000000000

-- Decodes an integer. Returns value and encoded size; nothing if the data is too short.
function quic_tvb(data, offset)
	offset = offset or 1
	local first = data:byte(offset)
	if not first then return end
	local size = first < 0x40 and 1 or first < 0x80 and 2 or first < 0xC0 and 4 or 8
	if #data - offset + 1 < size then return end
	if size == 1 then return first, 1 end
	if size == 2 then return u16(data, offset) - 0x4000, 2 end
	if size == 4 then return u32(data, offset) - 0x80000000, 4 end
	return (u16(data, offset) - 0xC000) * TWO48 + u48(data, offset + 2), 8
end

-- Encodes an integer in the shortest form; nil if it is too large.
function bquic_tvb(v)
	if v < 0x40 then return bu8(v) end
	if v < 0x4000 then return bu16(v + 0x4000) end
	if v < 0x40000000 then return bu32(v + 0x80000000) end
	if v < 0x4000 * TWO48 then return bu16(divint(v, TWO48) + 0xC000) .. bu48(v % TWO48) end
end
