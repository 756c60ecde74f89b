-- 16.7 Modifying a ClientHello ----------------------------------------------------------------------------

-- Edits the SNI extension as tls_client_hello_mod describes. Returns false if it is not possible.
local function modify_sni(dis, options)
	if not dis.ext then
		DLOG("tls_client_hello_mod: extensions not dissected")
		return false
	end
	local index = array_field_search(dis.ext, "type", TLS_EXT_SERVER_NAME)
	if not index then
		DLOG("tls_client_hello_mod: no SNI extension. adding")
		index = 1
		table.insert(dis.ext, index, {
			type = TLS_EXT_SERVER_NAME,
			name = TLS_HELLO_EXT_NAMES[TLS_EXT_SERVER_NAME],
			dis = { list = {} },
		})
	end
	if options.sni_del_ext then
		table.remove(dis.ext, index)
		return true
	end

	local ext = dis.ext[index]
	if options.sni_del then ext.dis = { list = {} } end
	if not ext.dis then
		DLOG("tls_client_hello_mod: SNI extension not dissected")
		return false
	end
	local list = ext.dis.list
	if options.sni_snt then
		for _, item in ipairs(list) do item.type = options.sni_snt end
	end
	local new_type = options.sni_snt_new or 0
	if options.sni_first then table.insert(list, 1, { type = new_type, name = options.sni_first }) end
	if options.sni_last then table.insert(list, { type = new_type, name = options.sni_last }) end
	return true
end

-- Modified copy of a ClientHello (records or bare message); nothing if it cannot be dissected or rebuilt.
-- Group sni:
--   sni_del_ext: remove the SNI extension, the rest is ignored
--   sni_del: remove all names
--   sni_snt=<number>: set the type of the names that are there
--   sni_snt_new=<number> (0): type of the added names
--   sni_first=<name>: add a name in front
--   sni_last=<name>: add a name at the end
-- If any of these but sni_snt_new is given and there is no SNI extension, it is added as the first one.
function tls_client_hello_mod(tls, options)
	local tdis = tls_dissect(tls)
	if not tdis then
		DLOG("tls_client_hello_mod: could not dissect tls")
		return
	end
	local hello = tdis.handshake and tdis.handshake[TLS_HANDSHAKE_TYPE_CLIENT]
	if not hello or not hello.dis then
		DLOG("tls_client_hello_mod: handshake not dissected")
		return
	end
	local wants_sni = options.sni_snt or options.sni_del_ext or options.sni_del or options.sni_first or options.sni_last
	if wants_sni and not modify_sni(hello.dis, options) then return end

	local result = tls_reconstruct(tdis)
	if not result then
		DLOG_ERR("tls_client_hello_mod: reconstruct error")
		return
	end
	return result
end
