"""Effects of options by name: functions that get a World and fail if the option does nothing."""

EFFECTS = {}


def effect(name):
    def mark(function):
        EFFECTS[name] = function
        return function
    return mark
