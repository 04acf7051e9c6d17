"""What the options of the measurements may be, and how a script ends: what is wrong is said in a line, before anything is measured."""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys

TERMINATED_CODE = 128 + signal.SIGTERM


def named_program(text: str) -> tuple[str, str]:
    """NAME=PATH."""
    name, _, path = text.partition("=")
    if not name or not path:
        raise argparse.ArgumentTypeError(f"not NAME=PATH: {text!r}")
    return name, path


def program(text: str) -> str:
    """A program that is started later on."""
    if shutil.which(text) is None:
        raise argparse.ArgumentTypeError(f"{text} is no program that can be run")
    return text


def output_file(text: str) -> pathlib.Path:
    """A file that is written at the end of the measurement."""
    path = pathlib.Path(text)
    if path.is_dir() or not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written")
    return path


def above_zero(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"not above zero: {text}")
    return number


def count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"not 1 or more: {text}")
    return number


def matching(names, only: str) -> list[str]:
    """The names that contain `only`, of which there has to be one."""
    found = [name for name in names if only in name]
    if not found:
        raise RuntimeError(f"--only: nothing here contains {only!r}; there are {', '.join(names)}")
    return found


def end_with(main) -> None:
    """Runs main() and ends the program with its code. Servers are stopped however it ends, by a signal too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED_CODE))
    # A process of this program's own has nothing to stop.
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    try:
        code = main()
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        code = f"{pathlib.Path(sys.argv[0]).name}: {error}"
    sys.exit(code)
