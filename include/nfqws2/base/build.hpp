// How the programs were built. Written by cmake into a file of its own (cmake/version.cmake), so
// that another commit compiles one small file and a compiler cache keeps the rest.
#pragma once

namespace nfqws2::build {

// "github version v1.0.6 (0a1b2c3d4e)", or "self-built version Mmm dd yyyy hh:mm:ss" (UTC, the
// commit's).
extern const char version[];
// Those that cannot be asked at run time: "libmnl 1.0.4, ...".
extern const char libraries[];
extern const char features[];
extern const char compiler[];

} // namespace nfqws2::build
