#!/usr/bin/env python3
"""make.py FOLDER OUTPUT: makes the C++ source that holds the files of a page, so that the program needs none of
them. Needs nothing but Python."""
import os
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
         ".js": "text/javascript; charset=utf-8"}
PIECE = 8000  # compilers have limits for the length of a text


def literal(text):
    if ')page"' in text:
        raise ValueError('a file has )page" in it')
    pieces = [text[at:at + PIECE] for at in range(0, len(text), PIECE)]
    return "\n".join('R"page(%s)page"' % piece for piece in pieces)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, output = sys.argv[1:]
    entries = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            entries.append('    {"/%s", "%s",\n%s},\n' %
                           (name, TYPES[os.path.splitext(name)[1]], literal(f.read())))
    text = ('// Written by src/tools/page-files/make.py.\n#include "serve/page_files.hpp"\n\n'
            "namespace nfqws2::ctl {\n\nconst PageFile page_files[] = {\n%s};\n"
            "const std::size_t page_file_count = %d;\n\n} // namespace nfqws2::ctl\n"
            % ("".join(entries), len(entries)))
    os.makedirs(os.path.dirname(output), exist_ok=True)
    with open(output, "w", encoding="utf-8") as f:
        f.write(text)


if __name__ == "__main__":
    main()
