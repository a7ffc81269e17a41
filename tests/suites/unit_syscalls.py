"""What systemd lets the service call: told as a list, or imposed on a program.

unit_syscalls.py list UNIT             every system call that the unit's SystemCallFilter= allows, one a line
unit_syscalls.py run UNIT COMMAND...   runs the command with nothing but those; others fail with EPERM, as in the unit

Needs systemd-analyze, which knows the groups, and Debian's python3-seccomp for `run`.
"""

import errno
import os
import subprocess
import sys


def groups():
    """Every group that systemd knows, with what it lists."""
    told = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True)
    found, name = {}, None
    for line in told.stdout.splitlines():
        if line.startswith("@"):
            name = line.strip()
            found[name] = []
        elif line.startswith(" ") and name and not line.strip().startswith("#"):
            found[name].append(line.strip())
        elif line.startswith("#"):
            name = None
    return found


def expanded(name, known):
    if not name.startswith("@"):
        return {name}
    return set().union(*(expanded(inner, known) for inner in known[name]))


def allowed(unit):
    """The union of what is allowed, less what is taken back, less what ProtectClock= takes."""
    known, calls = groups(), set()
    with open(unit, encoding="utf-8") as lines:
        settings = [line.strip().partition("=") for line in lines if "=" in line and not line.startswith("#")]
    for key, _, value in settings:
        if key == "SystemCallFilter":
            listed = set().union(*(expanded(name, known) for name in value.lstrip("~").split()))
            calls = calls - listed if value.startswith("~") else calls | listed
    # What systemd needs itself between the filter and the program, it always allows.
    return calls | expanded("@default", known)


def run(unit, command):
    import seccomp

    filtered = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    for name in sorted(allowed(unit)):
        try:
            filtered.add_rule(seccomp.ALLOW, name)
        except (RuntimeError, OSError, ValueError):
            # A call of another architecture.
            continue
    filtered.set_attr(seccomp.Attr.CTL_NNP, 1)
    filtered.load()
    os.execvp(command[0], command)


if __name__ == "__main__":
    if sys.argv[1] == "list":
        print("\n".join(sorted(allowed(sys.argv[2]))))
    else:
        run(sys.argv[2], sys.argv[3:])
