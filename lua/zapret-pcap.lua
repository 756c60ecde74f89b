-- Packet capture to a file. Load after zapret-lib.lua.
--
-- The file is a classic pcap: big endian, nanoseconds, link type 101 (raw IP).

-- Writes the global header to an open file.
function pcap_write_header(file)
	file:write(
		bu32(0xA1B23C4D), -- magic: nanoseconds
		bu16(2), bu16(4), -- version
		bu32(0), bu32(0), -- time zone, accuracy
		bu32(0xFFFF),     -- snap length
		bu32(101)         -- link type
	)
end

-- Appends an IP packet with the present time to an open file.
function pcap_write_packet(file, raw)
	local sec, nsec = clock_gettime()
	file:write(bu32(sec), bu32(nsec), bu32(#raw), bu32(#raw), raw)
end

-- pcap_write_packet, after the header if the file is empty.
function pcap_write(file, raw)
	if file:seek("end") == 0 then pcap_write_header(file) end
	pcap_write_packet(file, raw)
end

-- The file of this instance. The first call removes what an earlier run left, unless `keep` is given.
local function capture_file_name(desync)
	local arg = desync.arg
	local name_key = desync.func_instance .. "_fn"
	local name = _G[name_key]
	if not name then
		name = writable_file_name(arg.file)
		_G[name_key] = name
		if not arg.keep then os.remove(name) end
	end
	return name
end

-- Appends the packet, of any protocol and direction, to a capture file.
-- Arguments:
--   file=<name> (required): a relative one is below the directory of --writable
--   keep: append to an old file
-- The name is kept in the global <instance>_fn. The packet is written as received, below an orchestrator as it is now.
-- Verdict: PASS.
function pcap(ctx, desync)
	local arg = desync.arg
	if not arg.file or #arg.file == 0 then error("pcap requires 'file' parameter") end
	local name = capture_file_name(desync)
	local file, reason = io.open(name, "ab")
	if not file then error("pcap: could not write to '" .. name .. "': " .. tostring(reason)) end
	-- an IPv6 packet without a known transport keeps its protocol number
	local raw = ctx and raw_packet(ctx) or reconstruct_dissect(desync.dis, { ip6_last_proto = ip_proto(desync.dis) })
	pcap_write(file, raw)
	file:close()
end
