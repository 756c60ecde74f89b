"""Which tests there are, and where they want to run; the same on both sides of the machine."""
import importlib
import os

import world
import cases
from world import harness
from runner import Runner, title  # noqa: F401

HERE = os.path.dirname(os.path.abspath(__file__))
# How the machine is booted: with the tests as its only work, or with systemd.
BOOTS = ("plain", "systemd")


def make_runner(limit):
    return Runner(os.path.join(HERE, "guest.py"), harness.Environment, "(?:e2e|docs|bc)", limit, (),
                  world.Failure)


def boot_of(test):
    return getattr(importlib.import_module(test[0]), "BOOT", "plain")


def cost_of(test):
    """About how many seconds of a processor it takes, when it has one for itself."""
    return importlib.import_module(test[0]).COST


def is_long(test):
    module = importlib.import_module(test[0])
    function = getattr(module, test[1])
    return getattr(function, "long", False) or test[2] in getattr(function, "long_cases", ())


def choose(parts, with_long):
    """Those with one of the parts in their title; without parts the short list or all."""
    tests, _ = make_runner(0).discover()
    if parts:
        return cases.chosen(tests, parts, title)
    return [t for t in tests if with_long or not is_long(t)]
