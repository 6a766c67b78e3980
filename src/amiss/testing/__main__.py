"""The fresh process in which the conformance suite resumes interrupted fits: python -m amiss.testing FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

from amiss.testing.resuming import work

if __name__ == "__main__":
    work(Path(sys.argv[1]))
