"""Reports: one self-contained HTML page that shows a fit or a scoring run, and in which images are reviewed."""
