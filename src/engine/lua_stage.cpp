#include "lua_stage.hpp"

namespace nfqws2::engine {

namespace {

lua::PacketView view_of(Passage& p) {
    lua::PacketView view;
    view.dis = &p.dis;
    view.frame = p.frame;
    view.track = p.track;
    if (p.track != nullptr) {
        view.positions = &positions_of(p);
        if (p.is_tcp()) view.tcp_mss = p.track->common_mss();
    }
    view.from_client = !p.reverse;
    view.profile = p.profile;
    view.outgoing = p.outgoing();
    view.ifin = p.ifin;
    view.ifout = p.ifout;
    view.fwmark = p.mark;
    view.target = p.target;
    view.target_port = p.target_port;
    view.payload = p.payload;
    view.l7 = p.l7;
    if (p.one_call) view.merged = p.pieces();
    view.replay = p.replay;
    if (p.reasm_data)
        view.reasm_data = p.reasm_data;
    else if (p.is_tcp())
        view.reasm_data = p.dis.payload;
    view.decrypt_data = p.decrypt_data;
    return view;
}

} // namespace

capture::Verdict LuaStage::run(Passage& p) {
    if (p.profile->instances.empty()) {
        story_.has_no_instances();
        return {};
    }
    if (p.track != nullptr && p.track->cutoff(p.outgoing())) {
        story_.is_cut_off(p);
        return {};
    }
    lua::PacketView view = view_of(p);
    std::optional<PassageConnection> connection;
    if (ct_ != nullptr) view.ct = &connection.emplace(*ct_, p);
    std::optional<PassageRules> rules;
    if (rules_ != nullptr) view.rules = &rules.emplace(*rules_, p);
    return desync_.run(view);
}

} // namespace nfqws2::engine
