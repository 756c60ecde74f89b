#include "version.hpp"

#include "nfqws2/base/build.hpp"
#include "nfqws2/capture/pcap_source.hpp"
#include "nfqws2/lua/lua.hpp"

#if __has_include(<luajit.h>) && defined(LUA_JITLIBNAME)
#include <luajit.h>
#endif
#include <mbedtls/version.h>
#include <seccomp.h>
#include <zlib.h>

namespace nfqws2::app {
namespace {

#ifdef LUAJIT_VERSION
constexpr const char* lua_engine = LUAJIT_VERSION " (" LUA_VERSION ")";
#else
constexpr const char* lua_engine = LUA_RELEASE;
#endif

// Of shared libraries those that run, not those of the build, where they can be asked.
std::string libraries() {
    std::string text = std::string(build::libraries) + ", zlib " + ::zlibVersion();
    if (const scmp_version* v = ::seccomp_version())
        text += ", libseccomp " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." +
                std::to_string(v->micro);
    char mbedtls[32] = "";
    ::mbedtls_version_get_string(mbedtls);
    text += std::string(", mbed TLS ") + mbedtls;
#if NFQWS2_HAVE_PCAP
    text += std::string(", ") + capture::PcapSource::library_version();
#endif
    return text;
}

} // namespace

const std::string& version_text() {
    static const std::string text =
        std::string(build::version).substr(0, 110) + " lua_compat_ver 6";
    return text;
}

std::string build_text() {
    return std::string("Lua engine: ") + lua_engine + "\nlibraries: " + libraries() +
           "\nfeatures: " + build::features + "\nbuilt with: " + build::compiler + "\n";
}

} // namespace nfqws2::app
