"""Modules of the kernel, loaded and not to be had."""
import contextlib
import os
import subprocess

from world import laboratory, wait_for


def unload(name):
    """When nobody uses it any more: rules and sockets of namespaces that are gone go a little later."""
    def unloaded():
        subprocess.run(["modprobe", "-r", name], check=False, capture_output=True, env=laboratory.environment())
        return not os.path.exists("/sys/module/" + name)
    wait_for(unloaded, name + " is in use", pause=0.1)


@contextlib.contextmanager
def without(name):
    """The kernel finds no such module, as where it is not packaged."""
    path = "/etc/modprobe.d/nfqws2-lab.conf"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    unload(name)
    with open(path, "w", encoding="ascii") as f:
        f.write("install %s /bin/false\n" % name)
    try:
        yield
    finally:
        os.remove(path)
