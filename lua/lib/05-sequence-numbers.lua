-------------------------------------------------------------------------------------------------------------
-- 5. Sequence numbers: comparisons modulo 2^32, the half before a number is "less"
-------------------------------------------------------------------------------------------------------------

local SIGN_BIT = 0x80000000

-- seq1 >= seq2
function seq_ge(seq1, seq2)
	return bitand(u32add(seq1, -seq2), SIGN_BIT) == 0
end

-- seq1 > seq2
function seq_gt(seq1, seq2)
	return seq1 ~= seq2 and seq_ge(seq1, seq2)
end

-- seq1 < seq2
function seq_lt(seq1, seq2)
	return bitand(u32add(seq1, -seq2), SIGN_BIT) ~= 0
end

-- seq1 <= seq2
function seq_le(seq1, seq2)
	return seq1 == seq2 or seq_lt(seq1, seq2)
end

-- low <= seq <= high
function seq_within(seq, low, high)
	return seq_ge(seq, low) and seq_le(seq, high)
end

-- True if all data of this TCP packet was seen before. nil without conntrack or TCP.
function is_retransmission(desync)
	local tcp = desync.track and desync.track.pos.direct.tcp
	return tcp and seq_ge(tcp.uppos_prev, tcp.pos)
end
