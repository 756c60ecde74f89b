// `nfqws2ctl serve`: the page, its data, and metrics over HTTP.
#pragma once

#include "json.hpp"
#include "serve/guard.hpp"

#include <functional>
#include <string>

namespace nfqws2::ctl {

struct ServeOptions {
    Listen listen;
    bool read_only = false;
    std::string token;                   // "": none is needed
    double interval = 5;                 // seconds between samples
    std::function<std::string()> socket; // of the daemon; throws Failure
    std::function<Json()> doctor;        // what it finds; throws Failure
    std::string blockcheck;              // file of blockcheck2's last result
};

// Serves until the process ends; throws Failure if it cannot begin. `ready` is told the address.
void serve(const ServeOptions& options, const std::function<void(const Listen&)>& ready);

} // namespace nfqws2::ctl
