"""The command line; exit code 0 is done, 2 bad input, 130 interrupted."""

import errno
import os
import sys
from io import TextIOWrapper

from cyclopts import App, CycloptsError

from netstitch.cli.network_commands import export, finetune_command, match_command, status
from netstitch.cli.report_command import compare, report
from netstitch.cli.run_commands import cascade, demo, protocol, resume, run
from netstitch.errors import NetstitchError
from netstitch.text import printable, printable_line, unbroken
from netstitch.version import VERSION

BAD_INPUT, INTERRUPTED = 2, 130
_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)

app = App(
    name="netstitch",
    version=VERSION,
    help="Join trained networks with linear stitches, and search what lies between them: the "
    "networks, and the cascades of networks, with the most accuracy for their cost. Start with: "
    "netstitch demo",
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # main says what an interruption leaves
)
for command in (demo, run, resume, status, cascade, report, compare, protocol, export):
    app.command(command)
app.command(match_command, name="match")
app.command(finetune_command, name="finetune")


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # one of ASCII shall show ? for a line of a table
            stream.reconfigure(errors="replace")
    try:
        _check_text(sys.argv[1:])
        app(sys.argv[1:], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        _fail(f"{unbroken(error).rstrip('.')}; see netstitch --help")
    except NetstitchError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        print("netstitch: interrupted before it was done", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except OSError as error:
        reason, path = (error.strerror or str(error)).lower(), error.filename or "the output"
        if error.errno == errno.ENAMETOOLONG:
            _fail(f"{path!s:.200}: {reason}; give a shorter one")
        if error.errno not in _OF_THE_MACHINE:
            raise
        _fail(f"{path}: {reason}; free space or give another place")


def _fail(message: str) -> None:
    print(f"netstitch: {printable_line(message)}", file=sys.stderr)
    sys.exit(BAD_INPUT)


def _check_text(words: list[str]) -> None:
    """End the process where a word of the command, or the current folder, is no text."""
    try:
        here = os.getcwd()
    except FileNotFoundError:
        _fail("the current folder is not there any more; change to another")
    for word in (*words, here):
        try:
            word.encode()
        except UnicodeEncodeError:
            _fail(
                f"{printable(word)} is not UTF-8; rename it, since names stand in documents that "
                "other machines read"
            )
