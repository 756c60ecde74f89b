// mdig: resolves names from stdin, many at a time, passes addresses through. Two extra modes make
// and read one DNS message.
#pragma once

#include "mdig/mdig_options.hpp"

namespace nfqws2::tools {

class Resolver;
class AsyncResolver;

int run_mdig(const MdigOptions& options, Resolver& resolver, const MdigStreams& streams);
int run_mdig(const MdigOptions& options, AsyncResolver& resolver, const MdigStreams& streams);
int run_make_query(const MdigOptions& options, const MdigStreams& streams);
int run_parse_reply(const MdigStreams& streams);
int mdig_main(int argc, char** argv);

} // namespace nfqws2::tools
