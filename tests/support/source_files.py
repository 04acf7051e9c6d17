"""The project's files: what git tracks or would track."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def project_files(root=ROOT):
    """Paths relative to `root`, sorted. New files count before they are added, ignored and deleted ones do not."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True)
    names = set(listing.stdout.decode().split("\0")) - {""}
    return sorted(name for name in names if (Path(root) / name).is_file())
