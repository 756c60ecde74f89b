-------------------------------------------------------------------------------------------------------------
-- 6. Option tables of the sending functions, made from desync.arg
-------------------------------------------------------------------------------------------------------------

-- Options of rawsend.
-- Group rawsend:
--   repeats=<number> (1): send each packet that many times
--   ifout=<interface> (of the packet): interface to send to
--   fwmark=<number> (of the packet): mark of what is sent, added to the desync mark
function rawsend_opts(desync)
	local opts = rawsend_opts_base(desync)
	opts.repeats = desync.arg.repeats
	return opts
end

-- The same without repeats.
function rawsend_opts_base(desync)
	local arg = desync.arg
	return {
		ifout = arg.ifout or desync.ifout,
		fwmark = arg.fwmark or desync.fwmark,
	}
end

-- Options of packet reconstruction.
-- Group reconstruct:
--   badsum: a wrong checksum of the transport header
function reconstruct_opts(desync)
	return { badsum = desync.arg.badsum }
end

-- All options of rawsend_dissect_segmented. ipfrag, ipid and fooling are desync.arg itself.
function desync_opts(desync)
	return {
		rawsend = rawsend_opts(desync),
		reconstruct = reconstruct_opts(desync),
		ipfrag = desync.arg,
		ipid = desync.arg,
		fooling = desync.arg,
	}
end
