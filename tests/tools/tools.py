#!/usr/bin/env python3
"""The tools of this tree: what they do when they are stopped, or when there is nothing to do.

usage: tools.py [WORD...]       tests whose names have one of the words

Last line: "N passed, N failed, N skipped".
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(1, os.path.join(ROOT, "tests", "support"))
import cases  # noqa: E402
import dispositions  # noqa: E402
import processes  # noqa: E402
from expect import comes_true, write  # noqa: E402

GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@test.invalid", "-c", "commit.gpgSign=false")
PRESETS = """{ "version": 3,
  "configurePresets": [{ "name": "slow", "generator": "Ninja", "binaryDir": "${sourceDir}/build/slow" }],
  "buildPresets": [{ "name": "slow", "configurePreset": "slow" }] }
"""


def copy(name, folder):
    os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
    shutil.copy2(os.path.join(ROOT, name), os.path.join(folder, name))


def running(word):
    """The processes that have this word in their command line."""
    return [pid for pid in processes.pids() if word in processes.words(pid)]


def test_a_stopped_build_leaves_nothing_running(folder):
    copy("cmake/build.sh", folder)
    write(folder + "/CMakePresets.json", PRESETS)
    word = "300.%d" % os.getpid()  # sleeps so long, which nobody else does
    write(folder + "/CMakeLists.txt", "cmake_minimum_required(VERSION 3.21)\nproject(slow NONE)\n"
          "add_custom_target(wait ALL COMMAND sleep %s)\n" % word)
    build = subprocess.Popen(["sh", folder + "/cmake/build.sh", "slow"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if not comes_true(lambda: running(word)):
        return "the build did not begin"
    build.send_signal(signal.SIGTERM)
    good = comes_true(lambda: build.poll() is not None and not running(word))
    for pid in running(word):
        os.kill(pid, signal.SIGKILL)
    if build.wait() == 0:
        return "exit code 0"
    return None if good else "the build goes on"


def test_no_changed_source_is_nothing_to_complain_of(folder):
    for name in ("tests/tools/lint.sh", ".clang-tidy"):
        copy(name, folder)
    for text in ("one", "two"):
        write(folder + "/README.md", text)
        for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", text)):
            subprocess.run([*GIT, *words], cwd=folder, check=True)
    result = subprocess.run(["sh", folder + "/tests/tools/lint.sh", "tidy-changed"], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False,
                            env={**os.environ, "NFQWS2_LINT_BASE": "HEAD~1"})
    return None if result.stdout.endswith("\n1 passed, 0 failed, 0 skipped\n") else result.stdout


def test_a_list_of_command_lines_is_not_empty(folder):
    copy("tests/cmdlines/run.py", folder)
    copy("tests/support/cases.py", folder)
    for empty, other, line in (("good.txt", "bad.txt", "--new ## text"), ("bad.txt", "good.txt", "--new")):
        write(folder + "/tests/data/cmdlines/" + empty, "# nothing but this\n")
        write(folder + "/tests/data/cmdlines/" + other, line + "\n")
        said = subprocess.run([sys.executable, "-B", folder + "/tests/cmdlines/run.py", "/bin/true", folder],
                              stdout=subprocess.PIPE, text=True, check=False).stdout
        if "FAILED  " + empty not in said:
            return empty + ":\n" + said
    return None


def test_a_failure_tells_how_to_run_it_alone(folder):
    copy("tests/cmdlines/run.py", folder)
    copy("tests/support/cases.py", folder)
    write(folder + "/tests/data/cmdlines/good.txt", '--new\n--new="a b"\n')
    write(folder + "/tests/data/cmdlines/bad.txt", "--new ## text\n")

    def said(command):
        return subprocess.run(["sh", "-c", command], cwd=folder, stdout=subprocess.PIPE, text=True,
                              check=False, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}).stdout
    first = said("python3 tests/cmdlines/run.py /bin/true lua")
    commands = re.findall(r"alone: (.*)", first)
    if len(commands) != 3:
        return first
    again = said(commands[1])
    return None if again.count("FAILED  good.txt:2 ") == 1 and "0 passed, 1 failed" in again else again


def test_no_file_is_told_to_look_into_the_systems_folder_of_headers(folder):
    # CMake of Debian 13 asks pkg-config for it; then <cstdlib> does not find the next <stdlib.h>.
    said = subprocess.run(["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DNFQWS2_TESTS=OFF"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env={**os.environ, "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1"})
    if said.returncode != 0:
        return said.stdout
    with open(folder + "/compile_commands.json", encoding="utf-8") as file:
        commands = [entry["command"] for entry in json.load(file)]
    wrong = [command for command in commands if re.search(r"-(I|isystem) ?/usr/include ", command)]
    if not any("NFQWS2_HAVE_IDN=1" in command for command in commands):
        return "libidn2 is not there"
    return wrong[0] if wrong else None


def test_other_platforms_tell_what_failed_and_why_something_was_skipped(folder):
    log = os.path.join(folder, "log")
    write(log, "1: [  SKIPPED ] Idn.Names (0 ms)\n1: SKIPPED Idn.Names: built without libidn2\n"
          "1: FAILED Log.Opens\n1: 3 passed, 1 failed, 1 skipped\n"
          "1/1 Test  #1: unit/base ..........***Failed    0.10 sec\n")
    said = subprocess.run(["sh", "-c", '. tests/platform/roots_lib.sh && tell_ctest "$1"', "sh", log], cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
    told = ("SKIPPED Idn.Names: built without libidn2\nFAILED Log.Opens\n    3 passed, 1 failed, 1 skipped\n"
            "    unit/base ..........***Failed    0.10 sec\n")
    return None if said == told else said


def main():
    dispositions.restore()
    report = cases.Report(command=cases.this_script())
    for name, test in sorted(globals().items()):
        if name.startswith("test_") and cases.chosen([name[5:]], sys.argv[1:]):
            with tempfile.TemporaryDirectory() as folder:
                problem = test(folder)
                report.check(problem is None, name[5:], problem)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
