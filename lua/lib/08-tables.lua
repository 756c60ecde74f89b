-------------------------------------------------------------------------------------------------------------
-- 8. Tables, packing, blobs
-------------------------------------------------------------------------------------------------------------

local function copy_tree(orig, copies)
	local copy = copies[orig]
	if copy then return copy end
	copy = {}
	copies[orig] = copy
	for key, value in pairs(orig) do
		if type(key) == "table" then key = copy_tree(key, copies) end
		if type(value) == "table" then value = copy_tree(value, copies) end
		copy[key] = value
	end
	local meta = getmetatable(orig)
	if meta then setmetatable(copy, copy_tree(meta, copies)) end
	return copy
end

-- Recursive copy of a table with keys, values and metatables; shared references and cycles are preserved.
-- Other values are returned as they are.
-- copies : table original -> copy; what is in it already is not copied again
function deepcopy(orig, copies)
	if type(orig) ~= "table" then return orig end
	return copy_tree(orig, copies or {})
end

-- One level copy.
-- copy : table to copy into, default a new one
local function copy_fields(orig, copy)
	copy = copy or {}
	for key, value in pairs(orig) do copy[key] = value end
	return copy
end

-- Copies of a dissect and its headers, one level each. They begin with the fields that are always there, so that the
-- table gets its size at once: growing with each field takes several times longer.
local function copy_dis(dis)
	return copy_fields(dis, {
		l4proto = dis.l4proto, transport_len = dis.transport_len, l3_len = dis.l3_len, l4_len = dis.l4_len,
		payload = dis.payload, ip = dis.ip, ip6 = dis.ip6, tcp = dis.tcp, udp = dis.udp,
	})
end

local function copy_ip(ip)
	return copy_fields(ip, {
		ip_v = ip.ip_v, ip_hl = ip.ip_hl, ip_tos = ip.ip_tos, ip_len = ip.ip_len, ip_id = ip.ip_id,
		ip_off = ip.ip_off, ip_ttl = ip.ip_ttl, ip_p = ip.ip_p, ip_sum = ip.ip_sum,
		ip_src = ip.ip_src, ip_dst = ip.ip_dst,
	})
end

local function copy_tcp(tcp)
	return copy_fields(tcp, {
		th_sport = tcp.th_sport, th_dport = tcp.th_dport, th_seq = tcp.th_seq, th_ack = tcp.th_ack,
		th_x2 = tcp.th_x2, th_off = tcp.th_off, th_flags = tcp.th_flags, th_win = tcp.th_win,
		th_sum = tcp.th_sum, th_urp = tcp.th_urp, options = tcp.options,
	})
end

-- Copy of an array. Of up to four elements, as the options of most TCP headers, it gets its size at once.
local function copy_array(list)
	local copy = { list[1], list[2], list[3], list[4] }
	for i = 5, #list do copy[i] = list[i] end
	return copy
end

-- Do two trees hold the same values?
local function same_tree(a, b)
	if a == b then return true end
	if type(a) ~= "table" or type(b) ~= "table" then return false end
	for key, value in pairs(a) do
		if not same_tree(value, b[key]) then return false end
	end
	for key in pairs(b) do
		if a[key] == nil then return false end
	end
	return true
end

-- New array with 1-based positions turned into 0-based ones; non-numbers are kept. nil for nil.
function zero_based_pos(a)
	if not a then return nil end
	local zero_based = {}
	for i, pos in ipairs(a) do
		zero_based[i] = type(pos) == "number" and pos - 1 or pos
	end
	return zero_based
end

-- Removes all elements equal to the number 1 from an array. Returns the same array.
function delete_pos_1(a)
	local kept, count = 0, #a
	for i = 1, count do
		local pos = a[i]
		if pos ~= 1 then
			kept = kept + 1
			a[kept] = pos
		end
	end
	for i = kept + 1, count do a[i] = nil end
	return a
end

-- Key of an element equal to v, or nil.
function array_search(a, v)
	for key, value in pairs(a) do
		if value == v then return key end
	end
end

-- Key of a table element whose field f equals v, or nil.
function array_field_search(a, f, v)
	for key, value in pairs(a) do
		if type(value) == "table" and value[f] == v then return key end
	end
end

-- Concatenation of packer(element) over an array. nil for nil.
function barray(a, packer)
	if not a then return nil end
	local parts = {}
	for i = 1, #a do parts[i] = packer(a[i]) end
	return table.concat(parts)
end

-- Concatenation of packer(value) over all keys of a table, in the order of pairs. nil for nil.
function btable(a, packer)
	if not a then return nil end
	local parts = {}
	for _, value in pairs(a) do parts[#parts + 1] = packer(value) end
	return table.concat(parts)
end

-- `len` bytes of the endless repetition of pat, from the 1-based offset (which may be 0 or negative).
function pattern(pat, offset, len)
	if not pat or pat == "" then error("pattern: bad or empty pattern") end
	if len <= 0 then return "" end
	local start = (offset - 1) % #pat
	local repeats = math.floor((start + len - 1) / #pat) + 1
	return pat:rep(repeats):sub(start + 1, start + len)
end

-- Does blob `name` exist? "0x..." always does. Returns true or the value, nil if it does not.
function blob_exist(desync, name)
	if not name then return nil end
	if name:sub(1, 2) == "0x" then return true end
	return _G[name] or desync[name]
end

-- Bytes of a blob: hex "0x...", else field of desync, else global variable. Raises an error if there is none.
-- def : result for an empty or absent name (without def: error)
function blob(desync, name, def)
	if not name or name == "" then
		if def then return def end
		error("empty blob name")
	end
	if name:sub(1, 2) == "0x" then
		return parse_hex(name:sub(3)) or error("invalid hex string : " .. name)
	end
	local value = desync[name] or _G[name]
	if not value then error("blob '" .. name .. "' unavailable") end
	return tostring(value)
end

-- The same, def for nil name.
function blob_or_def(desync, name, def)
	if name == nil then return def end
	return blob(desync, name, def)
end

-- tls_mod with one addition: "sni=%name" in modlist takes the name from desync or from a global variable.
function tls_mod_shim(desync, hello, modlist, payload)
	local first, last, name = modlist:find("sni=%%([^,]*)")
	if first then
		local value = desync[name] or _G[name]
		if not value then error("tls_mod_shim: non-existent var '" .. name .. "'") end
		modlist = modlist:sub(1, first - 1) .. "sni=" .. tostring(value) .. modlist:sub(last + 1)
	end
	return tls_mod(hello, modlist, payload)
end
