"""What `nfqws2ctl doctor` says of the kernel."""
import json
import os
import subprocess

import modules
from world import check, check_equal, contains, laboratory

COST = 5
MODULE = "nfnetlink_queue"


def doctor(env):
    """code -> finding."""
    program = os.path.join(os.path.dirname(env.program), "nfqws2ctl")
    done = subprocess.run([program, "doctor", "--json"], capture_output=True, text=True, check=False,
                          env=laboratory.environment())
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    check(lines and lines[-1].get("end"), "%s%s", done.stdout, done.stderr)
    return {line["finding"]["code"]: line["finding"] for line in lines[:-1]}


def test_queues_of_the_kernel(env):
    """A module that nobody has needed yet is none that lacks."""
    modules.unload(MODULE)
    found = doctor(env)
    check("kernel-no-queues" not in found and "no-daemon" in found, "found: %s", sorted(found))
    with modules.without(MODULE):
        found = doctor(env)
        check_equal("level", found["kernel-no-queues"]["level"], "problem")
        contains(found["kernel-no-queues"]["advice"], MODULE)
        # So it is: no daemon starts here.
        check(env.run("--qnum=200", "--user=nobody").returncode != 0, "the kernel has queues after all")
