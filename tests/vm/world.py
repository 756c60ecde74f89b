"""What the lab's tests share: the world of the end-to-end tests, and marks of their own."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for folder in ("support", "lab", "e2e", "docs"):
    sys.path.append(os.path.join(ROOT, "tests", folder))
import harness  # noqa: E402,F401
from expect import Failure, check, check_equal, contains, wait_for  # noqa: E402,F401
from harness import cases, laboratory  # noqa: E402,F401


def long(function):
    """Marks a test that is left out unless --long is given or it is named."""
    function.long = True
    return function
