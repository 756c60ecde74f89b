// The end of the program by an exception that nobody caught.
#pragma once

namespace nfqws2::app {

// From now on its last words say what the exception said, to the log too.
void tell_of_uncaught();

} // namespace nfqws2::app
