-------------------------------------------------------------------------------------------------------------
-- 13. Hosts, interfaces, files
-------------------------------------------------------------------------------------------------------------

local TLDS = { "com", "org", "net", "edu", "gov", "biz" }

-- Random host name of `len` characters.
-- template : if given, the name ends in ".template"; if too long for that, only its last `len` characters
function genhost(len, template)
	if template and template ~= "" then
		if len <= 0 then return "" end
		if len <= #template then return template:sub(-len) end
		if len == #template + 1 then return "." .. template end
		return brandom_az(1) .. brandom_az09(len - #template - 2) .. "." .. template
	end
	if len <= 0 then error("genhost: invalid arg, length must be positive") end
	if len < 7 then return brandom_az(1) .. brandom_az09(len - 1) end
	return brandom_az(1) .. brandom_az09(len - 5) .. "." .. TLDS[math.random(#TLDS)]
end

-- Text of the target address; nil if there is none.
function host_ip(desync)
	local ip = desync.target.ip or desync.target.ip6
	return ip and ntop(ip)
end

-- Host name of the connection if known, else text of the target address.
function host_or_ip(desync)
	return desync.track and desync.track.hostname or host_ip(desync)
end

-- Reads the interface table to the global `ifaddrs`, at most once per second (time in `ifaddrs_last`).
function update_ifaddrs()
	if not ifaddrs then
		ifaddrs = get_ifaddrs()
		return
	end
	local now = os.time()
	if ifaddrs_last and ifaddrs_last ~= now then ifaddrs = get_ifaddrs() end
	ifaddrs_last = now
end

-- Name of the interface that owns a raw address; nil if none.
function ip2ifname(ip)
	update_ifaddrs()
	for name, interface in pairs(ifaddrs or {}) do
		if array_field_search(interface.addr or {}, "addr", ip) then return name end
	end
end

-- Is the path absolute (on Cygwin also with a drive letter)?
function is_absolute_path(path)
	return path:sub(1, 1) == "/" or uname().sysname:sub(1, 6) == "CYGWIN" and path:sub(2, 2) == ":"
end

-- path/file
function append_path(path, file)
	return path .. (path:sub(-1) == "/" and "" or "/") .. file
end

-- Relative file names go to the directory in the environment variable WRITABLE, if it is set.
function writable_file_name(filename)
	local dir = not is_absolute_path(filename) and os.getenv("WRITABLE")
	return dir and append_path(dir, filename) or filename
end

local function open_file(filename, mode, caller)
	local file, err = io.open(filename, mode)
	return file or error(caller .. ": " .. err)
end

-- Closes a file after reading; raises the error of the read if there was one. (End of file is none.)
local function close_after_read(file, err, caller)
	file:close()
	if err then error(caller .. ": " .. err) end
end

-- Is the file compressed by gzip? nil if it is empty.
function is_gzip_file(filename)
	local file = open_file(filename, "rb", "is_gzip_file")
	local magic, err = file:read(2)
	close_after_read(file, err, "is_gzip_file")
	return magic and magic == "\31\139"
end

-- Decompressed contents of the first member of a gzip file; nil if it is corrupt or truncated.
-- ratio      : expected compression, default 4
-- block_size : bytes read at a time, default 16384
function gunzip_file(filename, ratio, block_size)
	ratio = ratio or 4
	block_size = block_size or 16384
	local file = open_file(filename, "rb", "gunzip_file")
	local stream = gunzip_init()
	if not stream then
		file:close()
		error("gunzip_file: stream init error")
	end

	local parts = {}
	local block, err, part, finished
	repeat
		block, err = file:read(block_size)
		if not block then break end
		part, finished = gunzip_inflate(stream, block, math.floor(#block * ratio))
		parts[#parts + 1] = part
	until finished or not part
	gunzip_end(stream)
	close_after_read(file, err, "gunzip_file: file read error ")
	return finished and table.concat(parts) or nil
end

local function compressed_parts(stream, data, ratio, block_size)
	local parts = {}
	for pos = 1, #data, block_size do
		local block = data:sub(pos, pos + block_size - 1)
		parts[#parts + 1] = gzip_deflate(stream, block, math.max(64, math.floor(#block / ratio)))
			or error("gzip_file: compression error")
	end
	local part, finished
	repeat
		part, finished = gzip_deflate(stream, "")
		parts[#parts + 1] = part or error("gzip_file: compression error")
	until finished
	return parts
end

-- Writes data to a gzip file. Returns nothing; every failure is an error.
-- ratio      : expected compression, default 2
-- level      : 0..9, default 9
-- memlevel   : 1..9, default 8
-- block_size : bytes compressed at a time, default 16384
function gzip_file(filename, data, ratio, level, memlevel, block_size)
	local stream = gzip_init(nil, level or 9, memlevel or 8)
	if not stream then error("gzip_file: stream init error") end
	local parts = compressed_parts(stream, data, ratio or 2, block_size or 16384)
	gzip_end(stream)

	local file = open_file(filename, "wb", "gzip_file")
	local written, write_error = file:write(table.concat(parts))
	local closed, close_error = file:close()
	if not (written and closed) then error("gzip_file: " .. (write_error or close_error)) end
end

-- Contents of a file.
function readfile(filename)
	local file = open_file(filename, "rb", "readfile")
	local data, err = file:read("*a")
	close_after_read(file, err, "readfile")
	return data
end

-- Contents of a file, decompressed if it is a gzip file; nil if that is corrupt or truncated.
-- ratio : expected compression, see gunzip_file
function z_readfile(filename, ratio)
	if is_gzip_file(filename) then return gunzip_file(filename, ratio) end
	return readfile(filename)
end

-- Replaces the contents of a file. Returns nothing.
function writefile(filename, data)
	local file = open_file(filename, "wb", "writefile")
	local written, write_error = file:write(data)
	local closed, close_error = file:close()
	if not (written and closed) then error("writefile: " .. (write_error or close_error)) end
end
