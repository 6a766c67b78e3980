"""The process from which fresh ones are forked: reads job folders, one a line, and answers each with an exit code."""

from __future__ import annotations

from amiss.testing.fresh import serve

if __name__ == "__main__":
    serve()
