"""Runs a program in a terminal of its own, sends it SIGHUP, then closes the terminal. Prints what came of it as JSON."""
import json
import os
import pty
import signal
import sys
import time

PATIENCE_S = 60
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])


def awaits(text: bytes) -> bool:
    """Whether the program prints this text."""
    end, seen = time.monotonic() + PATIENCE_S, b""
    while text not in seen and time.monotonic() < end:
        seen += os.read(terminal, 65536)
    return text in seen


def ending():
    """How the program ends: minus the signal, or the exit code."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended != 0:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    return None


has_started = awaits(b"clients ")
os.kill(pid, signal.SIGHUP)
# On a terminal, log lines are for people, in colours.
has_reloaded = awaits(b"\x1b[32mINFO \x1b[0m reloaded  \x1b[2mreason=\x1b[0mSIGHUP")
os.close(terminal)
print(json.dumps({"started": has_started, "reloaded": has_reloaded, "ended": ending()}))
