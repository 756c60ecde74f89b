-------------------------------------------------------------------------------------------------------------
-- 7. Strings and dumps
-------------------------------------------------------------------------------------------------------------

local HEX_PAIR = {}
for byte = 0, 255 do
	HEX_PAIR[string.char(byte)] = ("%02X "):format(byte)
end

-- Hex dump "AB CD 01 02".
function string2hex(s)
	return (s:gsub(".", HEX_PAIR):sub(1, -2))
end

-- The first byte of s that is not text (0x20-0x7F, CR, LF, TAB); nil if there is none.
function has_nonprintable(s)
	return s:match("[^\32-\127\r\n\t]")
end

-- Text of v for a one-line dump. For strings: bytes outside 0x20-0x7F become dots; the second result is
-- their count.
function make_readable(v)
	if type(v) == "string" then return v:gsub("[^\32-\127]", ".") end
	return tostring(v)
end

-- s itself if it is text, else its hex dump.
function str_or_hex(s)
	return has_nonprintable(s) and string2hex(s) or s
end

local function dump_value(v, level, open_tables)
	local indent = ("  "):rep(level)
	if type(v) ~= "table" then
		DLOG(indent .. type(v) .. " " .. (type(v) == "string" and str_or_hex(v) or tostring(v)))
	elseif open_tables[v] then
		DLOG(indent .. "recursive " .. tostring(v))
	else
		open_tables[v] = true
		for key, field in pairs(v) do
			DLOG(indent .. "." .. tostring(key))
			dump_value(field, level + 1, open_tables)
		end
		open_tables[v] = nil
	end
end

-- Logs a value with all its fields.
function var_debug(v)
	if is_logging() then dump_value(v, 0, {}) end
end

-- Hex and readable dump of the first `max` bytes. nil for nil.
function hexdump(s, max)
	if not s then return nil end
	local cut = #s > max
	local head = cut and s:sub(1, max) or s
	local readable = make_readable(head)
	if cut then return string2hex(head) .. " ... " .. readable .. " ... " end
	return string2hex(head) .. "  " .. readable
end

-- hexdump of the first HEXDUMP_DLOG_MAX bytes. Returns the text, logs nothing.
function hexdump_dlog(s)
	return hexdump(s, HEXDUMP_DLOG_MAX)
end

local COMMA = (","):byte()

-- Is v one of the elements of the comma separated list s? Empty elements never match; false for nil s.
function in_list(s, v)
	if not s or type(v) ~= "string" or v == "" or v:find(",", 1, true) then return false end
	local first, last = s:find(v, 1, true)
	while first do
		if (first == 1 or s:byte(first - 1) == COMMA) and (last == #s or s:byte(last + 1) == COMMA) then
			return true
		end
		first, last = s:find(v, first + 1, true)
	end
	return false
end

-- Finds the end of the line that begins at pos. The line ends in CRLF, CR or LF.
-- Returns the index of its last byte (pos-1 if it is empty), and the index of the next line (nil if none).
function find_next_line(s, pos)
	local eol = s:find("[\r\n]", pos)
	if not eol then return #s, nil end
	local next_line = s:find("^\r\n", eol) and eol + 2 or eol + 1
	return eol - 1, next_line <= #s and next_line or nil
end

-- Exclusive or of truth values. b itself is returned if a is false.
function logical_xor(a, b)
	if a then return not b end
	return b
end
