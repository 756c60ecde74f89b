# Sources that packets, connections or lines of lists meet one after another: with -O2. All others of the daemon have
# -Os. Which are worth it is what callgrind tells of the rows of tests/bench/instructions.py; where it has none (rules,
# the kernel's connections), those that run for each packet. Functions in them that run at start or on request only are
# marked [[gnu::cold]], which is -Os for one function.
set(built_for_speed
    app/run/queue_loop
    base/clock base/ip_address base/memory_budget base/page_arena base/random base/siphash
    capture/link_layer capture/netfilter_socket capture/nfqueue capture/partial_checksum capture/pcap_source
    capture/queued_frame capture/raw_sender capture/verdict_batch
    engine/direction engine/distance_memory engine/engine engine/fast_open engine/fastpath engine/finished_rule
    engine/first_drop engine/lua_stage engine/merged_rule engine/passage engine/payload_detector engine/pipeline
    engine/profile_selector engine/rules_stage
    flow/connection_table flow/ct_ftp flow/ct_table flow/ct_tcp flow/ct_tuple flow/hold_list flow/ip_cache flow/range
    flow/slab_pool flow/tcp_state flow/track flow/tuple
    lua/api/arguments lua/api/bit lua/api/control lua/api/packet lua/api/payload lua/api/send lua/desync
    lua/desync_arguments lua/flow_states lua/guard/guard lua/guard/memory lua/guard/shed lua/guard/waiting
    lua/nflua/conditions lua/table/api_table lua/table/fast_reader lua/table/fast_table lua/table/fill lua/table/keys lua/table/push_packet
    lua/table/push_rules lua/table/read_packet
    packet/blueprint packet/checksum packet/connection packet/dissect packet/header_walk packet/header_writer
    packet/reconstruct
    profile/filter_table profile/filters profile/host_entry profile/host_table profile/list_reader profile/lists
    profile/net_table profile/page_array profile/profile profile/profile_set
    protocol/bittorrent protocol/detect protocol/discord protocol/dns protocol/dtls protocol/hostname
    protocol/http protocol/marker protocol/mtproto protocol/quic protocol/quic_frames protocol/quic_keys
    protocol/stun protocol/tls protocol/wireguard protocol/xmpp
    rules/answer rules/bucket_key rules/facts rules/judge rules/layers rules/state/bucket rules/state/marks
    rules/state/meters rules/state/prefix_sets rules/state/prefix_text rules/state/tcp_auth rules/translate)
list(TRANSFORM built_for_speed REPLACE "(.+)" "${CMAKE_SOURCE_DIR}/src/\\1.cpp")
foreach(source IN LISTS built_for_speed)
    if(NOT EXISTS ${source})
        message(FATAL_ERROR "cmake/fast.cmake names ${source}, which is not there")
    endif()
endforeach()
