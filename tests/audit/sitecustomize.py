"""Loaded by every Python process of a test through PYTHONPATH: notes what leaves the machine.

With ``BEDSIDE_TEST_FREE`` it also has the disk report that many bytes as free.
"""

import os
import sys
from pathlib import Path

FILE = os.environ.get("BEDSIDE_AUDIT", "")


def note(event, arguments):
    """Append the address of every connection and every look-up that is not loopback."""
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1")):
            write(f"connect {address}")
    elif event == "socket.getaddrinfo" and arguments[0] not in (None, "", "localhost", "127.0.0.1"):
        write(f"getaddrinfo {arguments[0]}")


def write(line):
    with Path(FILE).open("a", encoding="utf-8") as opened:
        opened.write(line + "\n")


if FILE:
    with Path(FILE + ".seen").open("a", encoding="utf-8") as seen:
        seen.write(f"{os.getpid()} {' '.join(sys.orig_argv[1:4])}\n")
    sys.addaudithook(note)


if "BEDSIDE_TEST_FREE" in os.environ:
    import shutil

    usage = shutil.disk_usage
    free = int(os.environ["BEDSIDE_TEST_FREE"])
    shutil.disk_usage = lambda path: usage(path)._replace(free=free)
