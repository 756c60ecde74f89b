-------------------------------------------------------------------------------------------------------------
-- 15. URL and HTTP
-------------------------------------------------------------------------------------------------------------

-- Splits "host", "host:port", "[ipv6]" or "[ipv6]:port".
local function split_authority(authority)
	local address, rest = authority:match("^%[(.-)%](.*)$")
	if address then return address, rest:match("^:(.*)$") end
	local host, port = authority:match("^([^:]*):(.*)$")
	return host or authority, port
end

-- Splits a URL. Returns a table with any of proto, creds, domain, port, uri (strings); nil for a blank string.
-- The domain ends at "/", "?" or "#", which begin the uri. A text without scheme and without any of them is all uri;
-- one that begins with one of them has no domain.
function dissect_url(url)
	local begin = url:find("[^ \t]")
	if not begin then return nil end
	local result = {}
	local pos = begin

	local proto, after_proto = url:match("^(%a[%w+.-]*)://()", pos)
	if proto then
		result.proto = proto:lower()
		pos = after_proto
	end

	local creds, after_creds = url:match("^([^@/?#]*)@()", pos)
	if creds then
		result.creds = creds
		pos = after_creds
	end

	local authority
	local uri = url:find("[/?#]", pos)
	if uri then
		if uri ~= begin then authority = url:sub(pos, uri - 1) end
		result.uri = url:sub(uri)
	elseif proto then
		authority = url:sub(pos)
	else
		result.uri = url:sub(pos)
	end
	if authority then result.domain, result.port = split_authority(authority) end
	return result
end

-- The last `level` labels of a domain name; nil if it has fewer.
function dissect_nld(domain, level)
	if not domain then return nil end
	local dots = 0
	for i = #domain, 1, -1 do
		if domain:byte(i) == 46 then
			dots = dots + 1
			if dots == level then return domain:sub(i + 1) end
		end
	end
	return dots == level - 1 and domain or nil
end

-- Splits a header line. Returns name, value, length of the name, index of the value (of the last byte of the
-- line if the value is empty); nil if there is no colon.
function http_dissect_header(line)
	local colon = line:find(":", 1, true)
	if not colon then return nil end
	local value_start = line:find("[^ \t]", colon + 1)
	return line:sub(1, colon - 1), value_start and line:sub(value_start) or "", colon - 1, value_start or #line
end

-- Parses header lines from pos to the empty line. Lines without colon are skipped.
-- Returns an array of {header, header_low, value, pos_start, pos_end, pos_header_end, pos_value_start} and
-- the index behind the empty line (nil if the data ends before).
function http_dissect_headers(http, pos)
	local headers = {}
	while pos do
		local line_end, next_line = find_next_line(http, pos)
		if line_end < pos then return headers, next_line end
		local name, value, name_len, value_start = http_dissect_header(http:sub(pos, line_end))
		if name then
			headers[#headers + 1] = {
				header = name,
				header_low = name:lower(),
				value = value,
				pos_start = pos,
				pos_end = line_end,
				pos_header_end = pos + name_len - 1,
				pos_value_start = pos + value_start - 1,
			}
		end
		pos = next_line
	end
	return headers, nil
end

-- Adds headers, pos_headers_end and body to a dissected message whose headers begin at pos.
local function add_headers_and_body(message, http, pos)
	local headers, pos_headers_end = http_dissect_headers(http, pos)
	message.headers = headers
	message.pos_headers_end = pos_headers_end
	message.body = pos_headers_end and http:sub(pos_headers_end)
	return message
end

-- Parses an HTTP request. Returns {method, uri, http_ver, headers, pos_headers_end, body}, or nil.
-- Empty lines before the request are skipped.
function http_dissect_req(http)
	if not http then return nil end
	local pos = 1
	local line_end, next_line = find_next_line(http, pos)
	while line_end < pos do
		if not next_line then return nil end
		pos = next_line
		line_end, next_line = find_next_line(http, pos)
	end
	local method, uri, http_ver = http:sub(pos, line_end):match("^([^ \t]*)[ \t]+([^ \t]+)[ \t]*(.*)$")
	if not method then return nil end
	local req = { method = method, uri = uri, http_ver = http_ver ~= "" and http_ver or nil }
	return add_headers_and_body(req, http, next_line)
end

-- Parses an HTTP/1.x reply. Returns {code, headers, pos_headers_end, body}, or nil.
function http_dissect_reply(http)
	local code = http and http:match("^HTTP/1%.[01].(%d+)[ \t\r\n]")
	if not code then return nil end
	local _, next_line = find_next_line(http, 1)
	return add_headers_and_body({ code = tonumber(code) }, http, next_line)
end

local function http_eol(unixeol)
	return unixeol and "\n" or "\r\n"
end

-- Text of headers {header, value}. "" for nil.
-- unixeol : lines end in LF instead of CRLF
function http_reconstruct_headers(headers, unixeol)
	local eol = http_eol(unixeol)
	local lines = {}
	for i, header in ipairs(headers or {}) do
		lines[i] = header.header .. ": " .. header.value .. eol
	end
	return table.concat(lines)
end

-- Text of a request {method, uri, http_ver, headers, body}.
-- unixeol : lines end in LF instead of CRLF
function http_reconstruct_req(hdis, unixeol)
	local eol = http_eol(unixeol)
	return hdis.method .. " " .. hdis.uri .. (hdis.http_ver and " " .. hdis.http_ver or "") .. eol
		.. http_reconstruct_headers(hdis.headers, unixeol) .. eol .. (hdis.body or "")
end
