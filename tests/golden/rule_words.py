"""Every word of the language of rules has a capture that shows it."""
import os
import re

import rule_actions
import rule_matches
from rule_packets import FRAMES, PACKETS
from traffic_run import HERE, expect

SOURCES = os.path.join(HERE, "..", "..", "src", "rules")


def words_of(kind):
    """Those of the tables in the sources: {"word", Takes::..."""
    words = set()
    for name in os.listdir(SOURCES):
        if name.startswith("read_" + kind):
            with open(os.path.join(SOURCES, name), encoding="utf-8") as f:
                words.update(re.findall(r'\{"(\w+)", Takes::', f.read()))
    return words


def every_word_has_a_capture(program):
    """A match holds for some packet of a capture and not for another one; a rule with the action was met."""
    held, missed, count = set(), set(), len(PACKETS) + len(FRAMES)
    for match, of in rule_matches.EXERCISED:
        word = match.split(" ", 1)[0]
        held.update({word} if of else ())
        missed.update({word} if len(of) < count else ())
    matches = words_of("match")
    expect(len(matches) > 30, True, "matches of the sources: %s" % sorted(matches))
    expect(sorted(matches - (held & missed)), [], "matches without a capture")
    if not rule_actions.EXERCISED:
        for case in rule_actions.CASES:
            case(program)
    actions = words_of("action")
    expect(len(actions) > 20, True, "actions of the sources: %s" % sorted(actions))
    expect(sorted(actions - rule_actions.EXERCISED), [], "actions without a capture")
