// The files of the page (src/ctl/page), a part of the program.
#pragma once

#include <cstddef>

namespace nfqws2::ctl {

struct PageFile {
    const char* path;
    const char* type;
    const char* text;
};
extern const PageFile page_files[];
extern const std::size_t page_file_count;

} // namespace nfqws2::ctl
