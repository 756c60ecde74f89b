"""What a test says when it is not content, and how it waits.

A Failure tells what was expected and what came; the runner adds the test's name and how to run it alone.
Nothing here depends on the speed of the machine: a test waits for what must come true, and its
patience ends only where it is going to fail."""
import os
import time

# Seconds for what takes no time on an idle machine.
PATIENCE = 60
SHOWN = 3000  # characters of a long text; its end tells more than its beginning


class Failure(AssertionError):
    pass


def shorten(value):
    text = repr(value)
    return text if len(text) < 400 else text[:250] + "..." + text[-140:]


def check(condition, text="not true", *details):
    if not condition:
        raise Failure(text % details if details else text)


def check_equal(what, got, want):
    """Values that fit a line, or lists."""
    check(got == want, "%s: got %s, expected %s%s", what, shorten(got), shorten(want), first_difference(got, want))


def first_difference(got, want):
    """Where two lists part, which `shorten` may have left out."""
    if not (isinstance(got, list) and isinstance(want, list)):
        return ""
    at = next((n for n, pair in enumerate(zip(got, want)) if pair[0] != pair[1]), min(len(got), len(want)))
    return "; from [%d] on: got %s, expected %s" % (at, shorten(got[at:at + 4]), shorten(want[at:at + 4]))


def equal(got, wanted, text=""):
    """Texts of several lines."""
    check(got == wanted, "%s\n--- got\n%s\n--- wanted\n%s", text, got, wanted)


def contains(text, *parts):
    for part in parts:
        check(part in text, "missing: %s\n--- in\n%s", part, text[-SHOWN:])


def lacks(text, *parts):
    for part in parts:
        check(part not in text, "unexpected: %s\n--- in\n%s", part, text[-SHOWN:])


def comes_true(condition, timeout=PATIENCE, pause=0.02):
    """Waits for the condition; whether it came true. It is looked at once more when the time is over, since
    on a busy machine all of that may have passed between two looks."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(pause)
    return bool(condition())


def wait_for(condition, complaint, timeout=PATIENCE, pause=0.02):
    """Waits for the condition. The complaint is a text, or what makes it of the state at the end."""
    if not comes_true(condition, timeout, pause):
        raise Failure(complaint() if callable(complaint) else complaint)


def wait_for_text(read, text, whose, alive=lambda: True, timeout=PATIENCE):
    """Waits until what `read` gives has the text in it, no longer than its writer is alive."""
    def said_or_over():
        over = not alive()  # asked first, so that the last words are still read
        return text in read() or over
    comes_true(said_or_over, timeout)
    said = read()
    check(text in said, "%s did not print %r but:\n%s", whose, text, said[-SHOWN:])


def write(path, text, mode=0o644):
    """A file with its folder, whatever the umask says."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)
    return path
