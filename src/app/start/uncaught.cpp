#include "start/uncaught.hpp"

#include "nfqws2/base/emergency.hpp"

#include <cstdlib>
#include <exception>

#ifdef __GLIBCXX__
// What the C++ library would call. Its own brings all that is needed to print the names of types,
// 55 kB, into a program that has the library as a part.
void __gnu_cxx::__verbose_terminate_handler() {
    std::abort();
}
#endif

namespace nfqws2::app {
namespace {

[[noreturn]] void say_and_abort() {
    emergency::Line line;
    line << "FATAL: an exception that nobody expects";
    try {
        if (const std::exception_ptr exception = std::current_exception())
            std::rethrow_exception(exception);
    } catch (const std::exception& e) {
        line << ": " << e.what();
    } catch (...) {
        line << " and cannot name";
    }
    line << "\n";
    emergency::say(line.text());
    std::abort();
}

} // namespace

void tell_of_uncaught() {
    std::set_terminate(say_and_abort);
}

} // namespace nfqws2::app
