"""lua/zapret-lib.lua is its chapters in lua/lib, one behind the other: why, docs/architecture.md#the-rooms says."""
import os

LIBRARY = os.path.join("lua", "zapret-lib.lua")
CHAPTERS = os.path.join("lua", "lib")


def joined(root):
    folder = os.path.join(root, CHAPTERS)
    chapters = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".lua"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                chapters.append(file.read().strip("\n") + "\n")
    return "\n\n".join(chapters)
