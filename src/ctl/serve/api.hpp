// What the page may ask the daemon, as requests of docs/control.md.
#pragma once

#include "json.hpp"

#include <map>
#include <string>

namespace nfqws2::ctl {

using Parameters = std::multimap<std::string, std::string>;

struct ApiRequest {
    Json request;
    std::string error; // why there is none
};
// `what`: status, counters, flows, hosts, lists, find or trace.
ApiRequest api_request(const std::string& what, const Parameters& parameters);
// What the page wants changed of the learned strategies: an object as text.
ApiRequest learn_change(const std::string& body);

// The HTTP status for an error of the daemon by its code.
int http_status(const std::string& code);

} // namespace nfqws2::ctl
