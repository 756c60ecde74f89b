-- Filtering boxes for the lab, run by nfqws2 in the middle namespace on all that is forwarded.
--
-- A box sees what a real one at this place would: each packet from the client whose TTL brings it
-- here, as it is, whether or not the server will take it.
--
--   --lua-desync=dpi_<kind>:name=<domain>[:near=N:total=N][:action=<what>][:strict]
--
-- kind   stateless, first, stream, wall: see the inspectors
-- action rst (both sides), drop (from then on), stall (after some answer), redirect (HTTP)
-- near   routers before the box: a packet with a smaller or equal TTL never comes here
-- total  routers on the whole way: with a smaller or equal TTL it is seen, but not by the server
-- strict packets that a server would refuse are not looked at (checksum, MD5 option, no ACK)
-- careful a stream without what a server would take out: data before its window, the urgent byte
--
-- and for QUIC, with dropping as the only action:
--
--   --lua-desync=dpi_quic:name=<domain>[:first][:plain]
--
-- first  the first datagram of a flow decides about all of it; else each is looked at
-- plain  packets with IPv6 extension headers are not looked at

local SYN, RST, ACK, URG = 2, 4, 16, 32
local STALL_AFTER = 16384
local LIMIT = 16384

-- --- what is in a message ------------------------------------------------------------------------

local function number(s, at, size)
    local n = 0
    for i = at, at + size - 1 do
        local b = string.byte(s, i)
        if not b then return nil end
        n = n * 256 + b
    end
    return n
end

-- Host name of a ClientHello, "" if it has none, nil while it is not complete, false if it is none.
local function tls_name(s)
    if #s < 6 then
        return string.sub("\22\3", 1, math.min(#s, 2)) ~= string.sub(s, 1, 2) and false or nil
    end
    if string.sub(s, 1, 2) ~= "\22\3" or string.byte(s, 6) ~= 1 then return false end
    local at = 6 + 4 + 2 + 32
    local function skip(size)
        local n = number(s, at, size)
        at = n and at + size + n
        return at
    end
    if not (skip(1) and skip(2) and skip(1)) then return nil end
    local all = number(s, at, 2)
    if not all then return nil end
    at = at + 2
    local ending = at + all
    while at < ending do
        local kind, size = number(s, at, 2), number(s, at + 2, 2)
        if not kind or not size then return nil end
        if kind == 0 then
            local n = number(s, at + 7, 2)
            local name = n and string.sub(s, at + 9, at + 8 + n)
            return name and #name == n and string.lower(name) or nil
        end
        at = at + 4 + size
    end
    return ""
end

-- The same for an HTTP request. The header is taken as browsers write it.
local function http_name(s)
    if not string.find(s, "^%u") then return false end
    local name = string.match(s, "\r\nHost: ([^\r\n]*)\r\n")
    if name then return string.lower(name) end
    if string.find(s, "\r\n\r\n", 1, true) then return "" end
    return nil
end

local function name_in(s)
    local name = tls_name(s)
    if name == false then name = http_name(s) end
    return name
end

-- --- packets ------------------------------------------------------------------------------------

local function from_client(desync)
    return desync.ifin == "to-client"
end

local function flow_key(desync)
    local dis = desync.dis
    local ip, tcp = dis.ip or dis.ip6, dis.tcp
    if not ip or not tcp then return nil end
    if from_client(desync) then
        return (ip.ip_src or ip.ip6_src) .. tcp.th_sport .. ":" .. tcp.th_dport
    end
    return (ip.ip_dst or ip.ip6_dst) .. tcp.th_dport .. ":" .. tcp.th_sport
end

local function ttl_of(dis)
    return dis.ip and dis.ip.ip_ttl or dis.ip6.ip6_hlim
end

local function has_flag(dis, flag)
    return bitand(dis.tcp.th_flags, flag) ~= 0
end

local function send(dis, flags, payload)
    dis.tcp.th_flags = flags
    dis.tcp.options = {}
    dis.tcp.th_win = 65535
    dis.payload = payload or ""
    if dis.ip then dis.ip.ip_ttl = 64 else dis.ip6.ip6_hlim = 64 end
    if dis.ip6 then dis.ip6.exthdr = {} end
    rawsend_dissect(dis)
end

local function answer(desync)
    local dis = deepcopy(desync.dis)
    dis_reverse(dis)
    dis.tcp.th_ack = (desync.dis.tcp.th_seq + #desync.dis.payload) % 4294967296
    return dis
end

local function good_checksum(dis)
    local fresh = dissect(reconstruct_dissect(dis))
    return fresh.tcp and fresh.tcp.th_sum == dis.tcp.th_sum
end

-- Would a server that is asked politely refuse it?
local function refusable(dis)
    return not good_checksum(dis) or not has_flag(dis, ACK) or
        find_tcp_option(dis.tcp.options, 19) ~= nil
end

-- --- what happens to a blocked flow -------------------------------------------------------------

local function act(desync, flow)
    local action = desync.arg.action or "rst"
    flow.blocked = action
    if action == "rst" then
        send(answer(desync), RST + ACK)
        send(deepcopy(desync.dis), RST + ACK)
    elseif action == "redirect" then
        send(answer(desync), ACK + 8 + 1, "HTTP/1.1 302 Found\r\n" ..
            "Location: http://warning.test/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        send(deepcopy(desync.dis), RST + ACK)
    end
    return action == "stall" and VERDICT_PASS or VERDICT_DROP
end

local function in_blocked_flow(desync, flow)
    if flow.blocked ~= "stall" then
        return from_client(desync) and VERDICT_DROP or VERDICT_PASS
    end
    if not from_client(desync) then
        flow.answered = (flow.answered or 0) + #desync.dis.payload
        if flow.answered > STALL_AFTER then return VERDICT_DROP end
    end
    return VERDICT_PASS
end

local flows = {}

-- The life of a flow in any box. look(flow, dis) says true for blocked, false for a flow that is
-- fine from now on, nil if it is not decided.
local function inspect(desync, look)
    local key = flow_key(desync)
    if not key then return VERDICT_PASS end
    local dis = desync.dis
    local opens = has_flag(dis, SYN) and not (desync.arg.strict and has_flag(dis, ACK))
    if from_client(desync) and opens then
        flows[key] = { start = (dis.tcp.th_seq + 1) % 4294967296, stream = "", waiting = {} }
    end
    local flow = flows[key]
    if not flow then return VERDICT_PASS end
    if flow.blocked then return in_blocked_flow(desync, flow) end
    if flow.fine or not from_client(desync) or #dis.payload == 0 then return VERDICT_PASS end
    if desync.arg.strict and refusable(dis) then return VERDICT_PASS end
    local verdict = look(flow, dis, string.lower(desync.arg.name), desync.arg.careful)
    if verdict then return act(desync, flow) end
    if verdict == false then flow.fine = true end
    return VERDICT_PASS
end

-- --- inspectors ---------------------------------------------------------------------------------

local inspectors = {}

-- Each packet for itself, whatever was before it.
function inspectors.stateless(_, dis, blocked)
    if name_in(dis.payload) == blocked then return true end
    return nil
end

-- The first packet with data decides about the flow.
function inspectors.first(_, dis, blocked)
    return name_in(dis.payload) == blocked
end

-- The payload without its part before the window, and without its urgent byte.
local function as_server_takes(dis, at)
    -- A pointer of 0 and one of 1 mean the first byte.
    local payload, urgent = dis.payload, math.max(dis.tcp.th_urp, 1)
    if has_flag(dis, URG) and urgent <= #payload then
        payload = string.sub(payload, 1, urgent - 1) .. string.sub(payload, urgent + 1)
    end
    local before = at > LIMIT and 4294967296 - at or 0
    return before < #payload and string.sub(payload, before + 1) or payload
end

-- Puts the client's stream together by sequence numbers; of what comes twice the first counts.
function inspectors.stream(flow, dis, blocked, careful)
    local at = (dis.tcp.th_seq - flow.start) % 4294967296
    if has_flag(dis, SYN) then at = at + 1 end
    at = at % 4294967296
    local payload = careful and as_server_takes(dis, at) or dis.payload
    if #payload < #dis.payload and at > LIMIT then at = 0 end
    if at > LIMIT then return nil end
    if not flow.waiting[at] then flow.waiting[at] = payload end
    local moved = true
    while moved do
        moved = false
        for start, data in pairs(flow.waiting) do
            local known = #flow.stream - start
            if known >= 0 then
                flow.stream = flow.stream .. string.sub(data, known + 1)
                flow.waiting[start] = nil
                moved = true
                break
            end
        end
    end
    local name = name_in(flow.stream)
    if name == nil then
        if #flow.stream > LIMIT then return false end
        return nil
    end
    return name == blocked
end

-- Everything the client says is too much.
function inspectors.wall()
    return true
end

local function box(kind)
    return function(_, desync)
        local arg = desync.arg
        local near, total = tonumber(arg.near or 0), tonumber(arg.total or 0)
        if not desync.dis.tcp then return VERDICT_PASS end
        if from_client(desync) then
            local ttl = ttl_of(desync.dis)
            if ttl <= near then return VERDICT_DROP end
            local verdict = inspect(desync, inspectors[kind])
            return ttl <= total and VERDICT_DROP or verdict
        end
        local verdict = inspect(desync, inspectors[kind])
        if verdict ~= VERDICT_PASS or total < 2 then return verdict end
        -- The lab's one router takes one away by itself.
        local ip = desync.dis.ip or desync.dis.ip6
        local field = desync.dis.ip and "ip_ttl" or "ip6_hlim"
        ip[field] = ip[field] - (total - 1)
        return VERDICT_MODIFY
    end
end

local quic_flows = {}

function dpi_quic(_, desync)
    local dis, arg = desync.dis, desync.arg
    if not dis.udp or not from_client(desync) then return VERDICT_PASS end
    if arg.plain and dis.ip6 and #dis.ip6.exthdr > 0 then return VERDICT_PASS end
    local key = (dis.ip and dis.ip.ip_src or dis.ip6.ip6_src) .. dis.udp.uh_sport
    local known = quic_flows[key]
    if known == nil or not arg.first then
        -- The name is taken out of the datagram by nfqws2, which can decrypt it.
        known = desync.l7payload == "quic_initial" and desync.track ~= nil and
            desync.track.hostname == arg.name
        quic_flows[key] = known
    end
    return known and VERDICT_DROP or VERDICT_PASS
end

dpi_stateless = box("stateless")
dpi_first = box("first")
dpi_stream = box("stream")
dpi_wall = box("wall")
