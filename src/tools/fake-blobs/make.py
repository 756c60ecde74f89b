#!/usr/bin/env python3
"""make.py FOLDER: makes the files that strategies name below files/fake (catalogue.py) in FOLDER.

Every file is a message as a program of today would send it, valid and complete, made from a description alone; the
same in every build. Needs nothing but Python, since it runs on the build machine, also of a cross build."""
import os
import sys

import catalogue


def make(name, size, maker, *host):
    data = maker(name, *host, size)
    if len(data) != size:
        raise ValueError("%s: %d bytes were made, not %d" % (name, len(data), size))
    return data


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    os.makedirs(sys.argv[1], exist_ok=True)
    for entry in catalogue.FILES:
        with open(os.path.join(sys.argv[1], entry[0]), "wb") as f:
            f.write(make(*entry))


if __name__ == "__main__":
    main()
