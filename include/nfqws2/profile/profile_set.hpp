// All profiles in order, and the search for the one that wants a packet
// (docs/contracts/profiles.md#matching). Profile 0 `no_action` is last and always matches.
#pragma once

#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/flow/track.hpp"
#include "nfqws2/profile/generation.hpp"
#include "nfqws2/profile/list_store.hpp"
#include "nfqws2/profile/profile.hpp"
#include "nfqws2/profile/query.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::profile {

struct Selection {
    const Profile* profile = nullptr; // never null from select()
    flow::ListVerdict list;           // done only if the host list check decided for the winner
};

// Which filter refused a profile: the option's name ("filter-tcp"), for --trace and --explain.
struct Rejection {
    std::uint32_t profile;
    const char* by;
    std::string list = {};  // host list or ip set that decided: its file or "fixed"; else empty
    std::string entry = {}; // the entry of an exclude list that matched
};

class ProfileSet {
  public:
    // `profiles` in search order without profile 0, which is appended here.
    ProfileSet(std::vector<std::unique_ptr<Profile>> profiles, ListStore& lists, Clock& clock);
    // The same profiles for another worker.
    ProfileSet(const ProfileSet& first, unsigned worker);
    ~ProfileSet();

    Selection select(const Query& query, std::vector<Rejection>* rejected = nullptr) const;
    flow::ListVerdict check_hosts(const Profile& profile, std::string_view host, bool is_ip) const;
    bool has_host_lists(const Profile& profile) const;

    const Profile& by_number(std::uint32_t number) const;     // profile 0 for unknown numbers
    const std::vector<std::unique_ptr<Profile>>& all() const; // 1, 2, ..., 0
    bool needs_ssid() const;
    // Some profile has a filter of the connection; one that is about more than its state.
    bool needs_ct() const;
    bool needs_ct_details() const;

    // A generation replaces another between two packets. The ones before stay known for flows that
    // hold packets back, until drop_older().
    const GenerationPtr& generation() const; // the newest
    void replace(GenerationPtr next);
    void take_back(); // as if the last replace() had not been
    bool has_older() const;
    void drop_older();
    // By the id that a flow keeps: of the generation in force, or of any that is known; else
    // nullptr.
    const Profile* in_force(std::uint32_t id) const;
    const Profile* known(std::uint32_t id) const;

    // While it lives, the generation that the profile belongs to is in force.
    class Older {
      public:
        Older(ProfileSet& profiles, std::uint32_t id);
        ~Older();
        Older(const Older&) = delete;
        Older& operator=(const Older&) = delete;

      private:
        ProfileSet& profiles_;
    };

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace nfqws2::profile
