#if NFQWS2_HAVE_NFCT

#include "api/arguments.hpp"
#include "nfct/objects.hpp"

namespace nfqws2::lua {
namespace {

constexpr std::size_t longest_text = 4096;
constexpr Word flag_words[] = {{"permanent", NF_CT_EXPECT_PERMANENT},
                               {"inactive", NF_CT_EXPECT_INACTIVE},
                               {"userspace", NF_CT_EXPECT_USERSPACE}};

int create(lua_State* L) {
    for (const int index : {1, 2, 3})
        check_object<Conntrack>(L, index);
    const std::uint64_t timeout = check_number(L, 4);
    if (timeout > UINT32_MAX) luaL_error(L, "out of range");
    unsigned flags = 0;
    for (int i = lua_gettop(L); i > 4; i--)
        flags |= optional_word(L, i, flag_words, 0);
    nf_expect* expect = push_expectation(L).expect;
    // Looked at now only: a finalizer of the script may have destroyed them.
    nfexp_set_attr(expect, ATTR_EXP_MASTER, check_object<Conntrack>(L, 1).ct);
    nfexp_set_attr(expect, ATTR_EXP_EXPECTED, check_object<Conntrack>(L, 2).ct);
    nfexp_set_attr(expect, ATTR_EXP_MASK, check_object<Conntrack>(L, 3).ct);
    nfexp_set_attr_u32(expect, ATTR_EXP_TIMEOUT, static_cast<std::uint32_t>(timeout));
    nfexp_set_attr_u32(expect, ATTR_EXP_FLAGS, flags);
    return 1;
}

int destroy(lua_State* L) {
    check_object<Expectation>(L, 1).end(module_state(L));
    return 0;
}

void push_text(lua_State* L, const nf_expect* expect, unsigned kind) {
    char text[longest_text];
    const int size = nfexp_snprintf(text, sizeof text, expect, kind, NFCT_O_DEFAULT, 0);
    push(L, size > 0 ? std::string_view(text) : std::string_view());
}

int to_text(lua_State* L) {
    const nf_expect* expect = check_object<Expectation>(L, 1).expect;
    push_text(L, expect, optional_kind(L, 2));
    return 1;
}

constexpr ModuleFunction functions[] = {
    {"exp_new", create}, {"exp_destroy", destroy}, {"exp_tostring", to_text}};

} // namespace

void Expectation::end(State& state) {
    if (ended()) return;
    nfexp_destroy(expect);
    expect = nullptr;
    state.module_objects().objects--;
    state.guard().release(memory_of_conntrack);
}

Expectation& push_expectation(lua_State* L) {
    State& state = module_state(L);
    Expectation& object = push_object<Expectation>(L);
    unsigned& count = state.module_objects().objects;
    if (count >= most_conntracks || !state.guard().reserve(memory_of_conntrack))
        luaL_error(L, "not enough memory");
    object.expect = nfexp_new();
    if (object.expect == nullptr) {
        state.guard().release(memory_of_conntrack);
        luaL_error(L, "not enough memory");
    }
    count++;
    return object;
}

int expectation_text(lua_State* L) {
    const Expectation& object = check_kind<Expectation>(L, 1);
    lua_pushliteral(L, "expectation: ");
    if (object.ended())
        lua_pushliteral(L, "destroyed");
    else
        push_text(L, object.expect, NFCT_T_UNKNOWN);
    lua_concat(L, 2);
    return 1;
}

std::span<const ModuleFunction> expectation_functions() {
    return functions;
}

} // namespace nfqws2::lua

#endif
