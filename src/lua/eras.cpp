#include "nfqws2/lua/eras.hpp"

#include "guard/collector.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/lua/state.hpp"
#include "table/desync_table.hpp"

#include <algorithm>
#include <utility>

namespace nfqws2::lua {
namespace {

constexpr std::size_t steps_per_piece = 32;

// Texts that become references of the registry. Each may raise an error, so they are listed before
// and what has become of them stands in the list.
struct Job {
    struct Text {
        Bytes bytes;
        int* ref;
        bool absent = false; // no text at all
    };
    std::vector<Text> texts;
    DesyncTable* table = nullptr;
    const profile::Profile* profile = nullptr; // whose own texts are made too

    void add(std::string_view text, int* ref) { texts.push_back({as_bytes(text), ref}); }
};

// Stands for nil, which has no place of its own in the registry.
const char absence = 0;

void push_absence(lua_State* L) {
    lua_pushlightuserdata(L, const_cast<char*>(&absence));
}

int do_job(lua_State* L) {
    const Job& job = *static_cast<const Job*>(lua_touserdata(L, 1));
    for (const Job::Text& text : job.texts) {
        if (text.absent)
            push_absence(L);
        else
            push(L, text.bytes);
        *text.ref = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    if (job.profile != nullptr) job.table->prepare(L, *job.profile);
    return 0;
}

// Exchanges globals with what is kept in their place.
int do_swap(lua_State* L) {
    const auto& blobs = *static_cast<const std::vector<Era::Blob>*>(lua_touserdata(L, 1));
    lua_pushglobaltable(L);
    for (const Era::Blob& blob : blobs) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, blob.name_ref);
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            push_absence(L);
        }
        lua_insert(L, -2); // globals, value, name
        lua_rawgeti(L, LUA_REGISTRYINDEX, blob.other_ref);
        if (lua_touserdata(L, -1) == &absence) {
            lua_pop(L, 1);
            lua_pushnil(L);
        }
        lua_rawset(L, -4);
        lua_rawseti(L, LUA_REGISTRYINDEX, blob.other_ref);
    }
    return 0;
}

bool call_protected(lua_State* L, lua_CFunction function, const void* data, std::string* error) {
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, const_cast<void*>(data));
    if (lua_pcall(L, 1, 0, 0) == 0) return true;
    const char* text = lua_tostring(L, -1);
    *error = std::string("LUA: ") + (text != nullptr ? text : "an error without a text");
    lua_pop(L, 1);
    return false;
}

bool function_exists(lua_State* L, const std::string& name) {
    lua_pushcfunction(L, [](lua_State* l) {
        lua_getglobal(l, static_cast<const char*>(lua_touserdata(l, 1)));
        return 1;
    });
    lua_pushlightuserdata(L, const_cast<char*>(name.c_str()));
    const bool exists = lua_pcall(L, 1, 1, 0) == 0 && lua_isfunction(L, -1);
    lua_pop(L, 1);
    return exists;
}

bool is_substituted(const std::string& value) {
    const auto marks = [](char c) { return c == '%' || c == '#'; };
    return !value.empty() &&
           (marks(value[0]) || (value[0] == '\\' && value.size() > 1 && marks(value[1])));
}

} // namespace

InstanceCounts& InstanceCounts::operator+=(const InstanceCounts& more) {
    called += more.called;
    sent += more.sent;
    modified += more.modified;
    dropped += more.dropped;
    errors += more.errors;
    timed += more.timed;
    timed_ns += more.timed_ns;
    return *this;
}

Era& Eras::of(const profile::Profile& profile) {
    for (std::size_t i = eras_.size(); i-- > 1;)
        if (eras_[i]->generation->has(profile.id)) return *eras_[i];
    return *eras_.front();
}

std::span<const PreparedInstance> Eras::instances(std::uint32_t profile) const {
    if (eras_.empty() || profile >= eras_.back()->profiles.size()) return {};
    return eras_.back()->profiles[profile];
}

void Eras::begin(profile::GenerationPtr next, BlobChanges blobs) {
    abandon();
    next_ = std::make_unique<Era>();
    next_->profiles.resize(next->profiles.size());
    next_->generation = std::move(next);
    changes_ = std::move(blobs);
    next_profile_ = next_instance_ = 0;
}

Eras::Step Eras::prepare(std::string* error) {
    lua_State* L = state_.lua();
    const CollectorRest rest(L);
    const auto& profiles = next_->generation->profiles;
    for (std::size_t step = 0; step < steps_per_piece; step++) {
        if (next_profile_ == profiles.size()) {
            if (prepare_blobs(error)) return Step::ready;
            abandon();
            return Step::failed;
        }
        const profile::Profile& profile = *profiles[next_profile_];
        bool done = false;
        if (next_instance_ < profile.instances.size()) {
            done = prepare_instance(profile.instances[next_instance_++], profile, error);
        } else {
            Job job;
            job.table = &state_.desync_table();
            job.profile = &profile;
            done = call_protected(L, do_job, &job, error);
            next_profile_++;
            next_instance_ = 0;
        }
        if (done) continue;
        abandon();
        return Step::failed;
    }
    return Step::more;
}

bool Eras::prepare_instance(const profile::LuaInstance& instance, const profile::Profile& profile,
                            std::string* error) {
    lua_State* L = state_.lua();
    if (!function_exists(L, instance.func)) {
        *error = "desync function '" + instance.func + "' does not exist (profile " +
                 profile.label() + "); is the library that has it loaded by --lua-init?";
        return false;
    }
    std::vector<const std::pair<std::string, std::string>*> first; // of each name
    for (const auto& argument : instance.args) {
        const auto same = [&](const auto* other) { return other->first == argument.first; };
        if (std::ranges::none_of(first, same)) first.push_back(&argument);
    }
    PreparedInstance& prepared = next_->profiles[profile.number].emplace_back();
    Job job;
    job.add(instance.func, &prepared.func_ref);
    job.add(instance.name, &prepared.name_ref);
    for (const auto* argument : first)
        prepared.arguments.push_back({LUA_NOREF, LUA_NOREF, is_substituted(argument->second)});
    for (std::size_t i = 0; i < first.size(); i++) {
        job.add(first[i]->first, &prepared.arguments[i].name_ref);
        job.add(first[i]->second, &prepared.arguments[i].value_ref);
    }
    return call_protected(L, do_job, &job, error);
}

bool Eras::prepare_blobs(std::string* error) {
    next_->blobs.resize(changes_.size());
    Job job;
    for (std::size_t i = 0; i < changes_.size(); i++) {
        job.add(changes_[i].name, &next_->blobs[i].name_ref);
        const auto& data = changes_[i].data;
        job.texts.push_back(
            {data ? Bytes(*data) : Bytes(), &next_->blobs[i].other_ref, !data.has_value()});
    }
    const bool done = call_protected(state_.lua(), do_job, &job, error);
    changes_ = {};
    return done;
}

bool Eras::swap_blobs(Era& era, std::string* error) {
    if (era.blobs.empty()) return true;
    const CollectorRest rest(state_.lua());
    return call_protected(state_.lua(), do_swap, &era.blobs, error);
}

bool Eras::adopt(std::string* error) {
    if (!swap_blobs(*next_, error)) {
        abandon();
        return false;
    }
    if (!eras_.empty()) {
        // Counters of what goes on go on.
        const profile::Generation& generation = *next_->generation;
        for (std::uint32_t n = 0; n < next_->profiles.size(); n++) {
            if (!generation.continues(generation.first_id_before + n, n)) continue;
            const Era::Profile& before = newest().profiles[n];
            for (std::size_t i = 0; i < before.size(); i++)
                next_->profiles[n][i].counts = before[i].counts;
        }
    }
    eras_.push_back(std::move(next_));
    return true;
}

void Eras::abandon() {
    if (next_ != nullptr) drop(*next_);
    next_.reset();
    changes_ = {};
}

void Eras::take_back() {
    if (!has_older()) return;
    std::string error;
    if (!swap_blobs(newest(), &error)) log::error_text(error);
    drop(newest());
    eras_.pop_back();
}

void Eras::drop_older() {
    while (has_older()) {
        drop(*eras_.front());
        eras_.erase(eras_.begin());
    }
}

// Raises no errors: nothing is made.
void Eras::drop(Era& era) {
    lua_State* L = state_.lua();
    const auto unref = [L](int ref) { luaL_unref(L, LUA_REGISTRYINDEX, ref); };
    for (const Era::Profile& profile : era.profiles)
        for (const PreparedInstance& instance : profile) {
            unref(instance.func_ref);
            unref(instance.name_ref);
            for (const auto& argument : instance.arguments) {
                unref(argument.name_ref);
                unref(argument.value_ref);
            }
        }
    for (const Era::Blob& blob : era.blobs) {
        unref(blob.name_ref);
        unref(blob.other_ref);
    }
    for (const auto& profile : era.generation->profiles)
        state_.desync_table().forget(L, *profile);
}

// Names are there and values too, so that an error can only come from want of memory.
void Eras::go_back_to(const Era& era) {
    std::string error;
    for (std::size_t i = eras_.size(); i-- > 0 && eras_[i].get() != &era;)
        if (!swap_blobs(*eras_[i], &error)) log::error_text(error);
}

void Eras::return_from(const Era& era) {
    std::string error;
    auto at = std::ranges::find_if(eras_, [&era](const auto& one) { return one.get() == &era; });
    for (++at; at != eras_.end(); ++at)
        if (!swap_blobs(**at, &error)) log::error_text(error);
}

} // namespace nfqws2::lua
