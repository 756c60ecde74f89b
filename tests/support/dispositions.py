"""Signals as a program finds them that a terminal starts."""
import signal


def restore():
    """nohup and the shell's `&` leave signals ignored, which every program started from there
    inherits; a POSIX shell cannot even trap them. Called first by each runner."""
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
