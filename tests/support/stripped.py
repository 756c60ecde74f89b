"""How large a program is when it is installed: without its symbols."""
import os
import subprocess
import tempfile


def size_of(program):
    """Bytes of a stripped copy."""
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "stripped")
        subprocess.run(["strip", "-o", copy, program], check=True)
        return os.path.getsize(copy)
