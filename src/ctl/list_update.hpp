// How the service's last update of the lists went, as its script notes it beside the sockets.
#pragma once

#include "view/terminal.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace nfqws2::ctl {

struct ListUpdate {
    std::string script, result, text;             // result: "" = nothing is known
    std::int64_t time = 0, success = 0, next = 0; // seconds since 1970, 0: never
    std::int64_t failures = 0;                    // in succession

    bool known() const { return !result.empty(); }
    bool failed() const { return result == "failed"; }
};

inline constexpr std::string_view list_update_name = "list-update"; // in the folder of the sockets

ListUpdate parse_list_update(std::string_view text);

// A line for people, "" if nothing is known; with what failed below it.
std::string list_update_report(const ListUpdate& update, std::int64_t now, const Style& style);

} // namespace nfqws2::ctl
