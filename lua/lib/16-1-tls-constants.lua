-------------------------------------------------------------------------------------------------------------
-- 16. TLS and QUIC
-------------------------------------------------------------------------------------------------------------

-- 16.1 Constants ------------------------------------------------------------------------------------------

TLS_VER_SSL30 = 0x0300
TLS_VER_TLS10 = 0x0301
TLS_VER_TLS11 = 0x0302
TLS_VER_TLS12 = 0x0303
TLS_VER_TLS13 = 0x0304

-- Defines a global constant per row {constant, value, text}. Returns the table value -> text.
local function define_constants(rows)
	local names = {}
	for _, row in ipairs(rows) do
		local constant, value, text = row[1], row[2], row[3]
		_G[constant] = value
		names[value] = text
	end
	return names
end

TLS_HELLO_EXT_NAMES = define_constants {
	{ "TLS_EXT_SERVER_NAME", 0, "server_name" },
	{ "TLS_EXT_MAX_FRAGMENT_LENGTH", 1, "max_fragment_length" },
	{ "TLS_EXT_CLIENT_CERTIFICATE_URL", 2, "client_certificate_url" },
	{ "TLS_EXT_TRUSTED_CA_KEYS", 3, "trusted_ca_keys" },
	{ "TLS_EXT_TRUNCATED_HMAC", 4, "truncated_hmac" },
	{ "TLS_EXT_STATUS_REQUEST", 5, "status_request" },
	{ "TLS_EXT_USER_MAPPING", 6, "user_mapping" },
	{ "TLS_EXT_CLIENT_AUTHZ", 7, "client_authz" },
	{ "TLS_EXT_SERVER_AUTHZ", 8, "server_authz" },
	{ "TLS_EXT_CERT_TYPE", 9, "cert_type" },
	{ "TLS_EXT_SUPPORTED_GROUPS", 10, "supported_groups" },
	{ "TLS_EXT_EC_POINT_FORMATS", 11, "ec_point_formats" },
	{ "TLS_EXT_SRP", 12, "srp" },
	{ "TLS_EXT_SIGNATURE_ALGORITHMS", 13, "signature_algorithms" },
	{ "TLS_EXT_USE_SRTP", 14, "use_srtp" },
	{ "TLS_EXT_HEARTBEAT", 15, "heartbeat" },
	{ "TLS_EXT_ALPN", 16, "application_layer_protocol_negotiation" },
	{ "TLS_EXT_STATUS_REQUEST_V2", 17, "status_request_v2" },
	{ "TLS_EXT_SIGNED_CERTIFICATE_TIMESTAMP", 18, "signed_certificate_timestamp" },
	{ "TLS_EXT_CLIENT_CERT_TYPE", 19, "client_certificate_type" },
	{ "TLS_EXT_SERVER_CERT_TYPE", 20, "server_certificate_type" },
	{ "TLS_EXT_PADDING", 21, "padding" },
	{ "TLS_EXT_ENCRYPT_THEN_MAC", 22, "encrypt_then_mac" },
	{ "TLS_EXT_EXTENDED_MASTER_SECRET", 23, "extended_master_secret" },
	{ "TLS_EXT_TOKEN_BINDING", 24, "token_binding" },
	{ "TLS_EXT_CACHED_INFO", 25, "cached_info" },
	{ "TLS_EXT_COMPRESS_CERTIFICATE", 27, "compress_certificate" },
	{ "TLS_EXT_RECORD_SIZE_LIMIT", 28, "record_size_limit" },
	{ "TLS_EXT_DELEGATED_CREDENTIALS", 34, "delegated_credentials" },
	{ "TLS_EXT_SESSION_TICKET_TLS", 35, "session_ticket" },
	{ "TLS_EXT_KEY_SHARE_OLD", 40, "Reserved (key_share)" },
	{ "TLS_EXT_PRE_SHARED_KEY", 41, "pre_shared_key" },
	{ "TLS_EXT_EARLY_DATA", 42, "early_data" },
	{ "TLS_EXT_SUPPORTED_VERSIONS", 43, "supported_versions" },
	{ "TLS_EXT_COOKIE", 44, "cookie" },
	{ "TLS_EXT_PSK_KEY_EXCHANGE_MODES", 45, "psk_key_exchange_modes" },
	{ "TLS_EXT_TICKET_EARLY_DATA_INFO", 46, "Reserved (ticket_early_data_info)" },
	{ "TLS_EXT_CERTIFICATE_AUTHORITIES", 47, "certificate_authorities" },
	{ "TLS_EXT_OID_FILTERS", 48, "oid_filters" },
	{ "TLS_EXT_POST_HANDSHAKE_AUTH", 49, "post_handshake_auth" },
	{ "TLS_EXT_SIGNATURE_ALGORITHMS_CERT", 50, "signature_algorithms_cert" },
	{ "TLS_EXT_KEY_SHARE", 51, "key_share" },
	{ "TLS_EXT_TRANSPARENCY_INFO", 52, "transparency_info" },
	{ "TLS_EXT_CONNECTION_ID_DEPRECATED", 53, "connection_id (deprecated)" },
	{ "TLS_EXT_CONNECTION_ID", 54, "connection_id" },
	{ "TLS_EXT_EXTERNAL_ID_HASH", 55, "external_id_hash" },
	{ "TLS_EXT_EXTERNAL_SESSION_ID", 56, "external_session_id" },
	{ "TLS_EXT_QUIC_TRANSPORT_PARAMETERS_V1", 57, "quic_transport_parameters" },
	{ "TLS_EXT_TICKET_REQUEST", 58, "ticket_request" },
	{ "TLS_EXT_DNSSEC_CHAIN", 59, "dnssec_chain" },
	{ "TLS_EXT_GREASE_0A0A", 0xA0A, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_1A1A", 0x1A1A, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_2A2A", 0x2A2A, "Reserved (GREASE)" },
	{ "TLS_EXT_NPN", 0x3374, "next_protocol_negotiation" },
	{ "TLS_EXT_GREASE_3A3A", 0x3A3A, "Reserved (GREASE)" },
	{ "TLS_EXT_ALPS_OLD", 0x4469, "application_settings_old" },
	{ "TLS_EXT_ALPS", 0x44CD, "application_settings" },
	{ "TLS_EXT_GREASE_4A4A", 0x4A4A, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_5A5A", 0x5A5A, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_6A6A", 0x6A6A, "Reserved (GREASE)" },
	{ "TLS_EXT_CHANNEL_ID_OLD", 0x754F, "channel_id_old" },
	{ "TLS_EXT_CHANNEL_ID", 0x7550, "channel_id" },
	{ "TLS_EXT_GREASE_7A7A", 0x7A7A, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_8A8A", 0x8A8A, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_9A9A", 0x9A9A, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_AAAA", 0xAAAA, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_BABA", 0xBABA, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_CACA", 0xCACA, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_DADA", 0xDADA, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_EAEA", 0xEAEA, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_FAFA", 0xFAFA, "Reserved (GREASE)" },
	{ "TLS_EXT_ECH_OUTER_EXTENSIONS", 0xFD00, "ech_outer_extensions" },
	{ "TLS_EXT_ENCRYPTED_CLIENT_HELLO", 0xFE0D, "encrypted_client_hello" },
	{ "TLS_EXT_RENEGOTIATION_INFO", 0xFF01, "renegotiation_info" },
	{ "TLS_EXT_QUIC_TRANSPORT_PARAMETERS", 0xFFA5, "quic_transport_parameters (drafts version)" },
	{ "TLS_EXT_ENCRYPTED_SERVER_NAME", 0xFFCE, "encrypted_server_name" },
}

TLS_RECORD_TYPE_NAMES = define_constants {
	{ "TLS_RECORD_TYPE_CHANGE_CIPHER_SPEC", 20, "change_cipher_spec" },
	{ "TLS_RECORD_TYPE_ALERT", 21, "alert" },
	{ "TLS_RECORD_TYPE_HANDSHAKE", 22, "handshake" },
	{ "TLS_RECORD_TYPE_DATA", 23, "data" },
	{ "TLS_RECORD_TYPE_HEARTBEAT", 24, "heartbeat" },
}

TLS_HANDSHAKE_TYPE_NAMES = define_constants {
	{ "TLS_HANDSHAKE_TYPE_HELLO_REQUEST", 0, "hello_request" },
	{ "TLS_HANDSHAKE_TYPE_CLIENT", 1, "client_hello" },
	{ "TLS_HANDSHAKE_TYPE_SERVER", 2, "server_hello" },
	{ "TLS_HANDSHAKE_TYPE_CERTIFICATE", 11, "certificate" },
	{ "TLS_HANDSHAKE_TYPE_KEY_EXCHANGE", 12, "key_exchange" },
	{ "TLS_HANDSHAKE_TYPE_CERTIFICATE_REQUEST", 13, "certificate_request" },
	{ "TLS_HANDSHAKE_TYPE_SERVER_HELLO_DONE", 14, "hello_done" },
	{ "TLS_HANDSHAKE_TYPE_CERTIFICATE_VERIFY", 15, "certificate_verify" },
	{ "TLS_HANDSHAKE_TYPE_CLIENT_KEY_EXCHANGE", 16, "client_key_exchange" },
	{ "TLS_HANDSHAKE_TYPE_FINISHED", 20, "finished" },
	{ "TLS_HANDSHAKE_TYPE_CERTIFICATE_URL", 21, "certificate_url" },
	{ "TLS_HANDSHAKE_TYPE_CERTIFICATE_STATUS", 22, "certificate_status" },
	{ "TLS_HANDSHAKE_TYPE_SUPPLEMENTAL_DATA", 23, "supplemental_data" },
	{ "TLS_HANDSHAKE_TYPE_KEY_UPDATE", 24, "key_update" },
	{ "TLS_HANDSHAKE_TYPE_COMPRESSED_CERTIFICATE", 25, "compressed_certificate" },
}

TLS_HANDSHAKE_QUIC_TP_NAMES = define_constants {
	{ "TLS_HANDSHAKE_QUIC_TP_ORIGINAL_DESTINATION_CONNECTION_ID", 0, "original_destination_connection_id" },
	{ "TLS_HANDSHAKE_QUIC_TP_MAX_IDLE_TIMEOUT", 1, "max_idle_timeout" },
	{ "TLS_HANDSHAKE_QUIC_TP_STATELESS_RESET_TOKEN", 2, "stateless_reset_token" },
	{ "TLS_HANDSHAKE_QUIC_TP_MAX_UDP_PAYLOAD_SIZE", 3, "max_udp_payload_size" },
	{ "TLS_HANDSHAKE_QUIC_TP_INITIAL_MAX_DATA", 4, "initial_max_data" },
	{ "TLS_HANDSHAKE_QUIC_TP_INITIAL_MAX_STREAM_DATA_BIDI_LOCAL", 5, "initial_max_stream_data_bidi_local" },
	{ "TLS_HANDSHAKE_QUIC_TP_INITIAL_MAX_STREAM_DATA_BIDI_REMOTE", 6, "initial_max_stream_data_bidi_remote" },
	{ "TLS_HANDSHAKE_QUIC_TP_INITIAL_MAX_STREAM_DATA_UNI", 7, "initial_max_stream_data_uni" },
	{ "TLS_HANDSHAKE_QUIC_TP_INITIAL_MAX_STREAMS_BIDI", 8, "initial_max_streams_bidi" },
	{ "TLS_HANDSHAKE_QUIC_TP_INITIAL_MAX_STREAMS_UNI", 9, "initial_max_streams_uni" },
	{ "TLS_HANDSHAKE_QUIC_TP_ACK_DELAY_EXPONENT", 10, "ack_delay_exponent" },
	{ "TLS_HANDSHAKE_QUIC_TP_MAX_ACK_DELAY", 11, "max_ack_delay" },
	{ "TLS_HANDSHAKE_QUIC_TP_DISABLE_ACTIVE_MIGRATION", 12, "disable_active_migration" },
	{ "TLS_HANDSHAKE_QUIC_TP_PREFERRED_ADDRESS", 13, "preferred_address" },
	{ "TLS_HANDSHAKE_QUIC_TP_ACTIVE_CONNECTION_ID_LIMIT", 14, "active_connection_id_limit" },
	{ "TLS_HANDSHAKE_QUIC_TP_INITIAL_SOURCE_CONNECTION_ID", 15, "initial_source_connection_id" },
	{ "TLS_HANDSHAKE_QUIC_TP_RETRY_SOURCE_CONNECTION_ID", 16, "retry_source_connection_id" },
	{ "TLS_HANDSHAKE_QUIC_TP_VERSION_INFORMATION", 17, "version_information" },
	{ "TLS_HANDSHAKE_QUIC_TP_MAX_DATAGRAM_FRAME_SIZE", 32, "max_datagram_frame_size" },
	{ "TLS_HANDSHAKE_QUIC_TP_CIBIR_ENCODING", 0x1000, "cibir_encoding" },
	{ "TLS_HANDSHAKE_QUIC_TP_LOSS_BITS", 0x1057, "loss_bits" },
	{ "TLS_HANDSHAKE_QUIC_TP_GREASE_QUIC_BIT", 0x2AB2, "grease_quic_bit" },
	{ "TLS_HANDSHAKE_QUIC_TP_GOOGLE_INITIAL_RTT", 0x3127, "google_initial_rtt" },
	{ "TLS_HANDSHAKE_QUIC_TP_GOOGLE_CONNECTION_OPTIONS", 0x3128, "google_connection_options" },
	{ "TLS_HANDSHAKE_QUIC_TP_GOOGLE_USER_AGENT", 0x3129, "google_user_agent" },
	{ "TLS_HANDSHAKE_QUIC_TP_GOOGLE_SUPPORT_HANDSHAKE_DONE", 0x312A, "google_support_handshake_done" },
	{ "TLS_HANDSHAKE_QUIC_TP_GOOGLE_KEY_UPDATE_NOT_YET_SUPPORTED", 0x312B, "google_key_update_not_yet_supported" },
	{ "TLS_HANDSHAKE_QUIC_TP_GOOGLE_QUIC_PARAMS", 0x4751, "google_quic_params" },
	{ "TLS_HANDSHAKE_QUIC_TP_GOOGLE_QUIC_VERSION", 0x4752, "google_quic_version" },
	{ "TLS_HANDSHAKE_QUIC_TP_ENABLE_TIME_STAMP", 0x7157, "enable_time_stamp" },
	{ "TLS_HANDSHAKE_QUIC_TP_ENABLE_TIME_STAMP_V2", 0x7158, "enable_time_stamp_v2" },
	{ "TLS_HANDSHAKE_QUIC_TP_MIN_ACK_DELAY_OLD", 0xDE1A, "min_ack_delay" },
	{ "TLS_HANDSHAKE_QUIC_TP_FACEBOOK_PARTIAL_RELIABILITY", 0xFF00, "facebook_partial_reliability" },
	{ "TLS_HANDSHAKE_QUIC_TP_VERSION_INFORMATION_DRAFT", 0xFF73DB, "version_information_draft" },
	{ "TLS_HANDSHAKE_QUIC_TP_ADDRESS_DISCOVERY", 0x9F81A176, "address_discovery" },
	{ "TLS_HANDSHAKE_QUIC_TP_MIN_ACK_DELAY_DRAFT_V1", 0xFF03DE1A, "min_ack_delay (draft-01)" },
	{ "TLS_HANDSHAKE_QUIC_TP_MIN_ACK_DELAY_DRAFT05", 0xFF04DE1A, "min_ack_delay (draft-05)" },
	{ "TLS_HANDSHAKE_QUIC_TP_MIN_ACK_DELAY", 0xFF04DE1B, "min_ack_delay" },
}
