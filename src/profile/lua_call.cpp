#include "nfqws2/profile/lua_call.hpp"

#include "nfqws2/base/bad_value.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>

namespace nfqws2::profile {

namespace {

// Items between colons; `\:` is a colon inside an item, every other backslash is literal.
std::vector<std::string> split_items(std::string_view text) {
    std::vector<std::string> items(1);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == ':')
            items.back() += text[++i];
        else if (text[i] == ':')
            items.emplace_back();
        else
            items.back() += text[i];
    }
    return items;
}

} // namespace

LuaInstance parse_lua_call(std::string_view text) {
    const std::string invalid = "invalid lua function call : " + std::string(text);
    const std::string form =
        " (should be function:argument=value:..., like fake:blob=fake_default_tls:repeats=2)";
    std::vector<std::string> items = split_items(text);
    if (items.size() > 1 && items.back().empty()) items.pop_back(); // one trailing colon is allowed

    LuaInstance call;
    call.func = items.front();
    if (!is_identifier(call.func))
        throw BadValue("bad identifier '" + call.func + "'\n" + invalid + form);
    for (std::size_t i = 1; i < items.size(); ++i) {
        const std::string& item = items[i];
        const std::size_t equals = item.find('=');
        std::string name = item.substr(0, equals);
        if (!is_identifier(name))
            throw BadValue(
                invalid +
                (item.empty() ? " (an argument is empty" : " (bad argument name '" + name + "'") +
                ", write \\: for a colon within a value)");
        call.args.emplace_back(std::move(name),
                               equals == std::string::npos ? "" : item.substr(equals + 1));
    }
    return call;
}

std::string describe(const Profile& profile, const LuaInstance& instance) {
    std::string text = "profile " + profile.label() + " lua " + instance.func + "(";
    // The last one first, as the reference lists them.
    for (auto argument = instance.args.rbegin(); argument != instance.args.rend(); ++argument) {
        if (argument != instance.args.rbegin()) text += ',';
        text += argument->first + "=\"" + argument->second + "\"";
    }
    std::string types = protocol::to_text(instance.payload);
    std::replace(types.begin(), types.end(), ',', ' ');
    return text + " range_in=" + flow::to_text(instance.in_range) +
           " range_out=" + flow::to_text(instance.out_range) + " payload_type= " + types + ")";
}

} // namespace nfqws2::profile
