"""The papers' tables: cells of (method, protocol, seed), run once each anywhere, and set beside the printed numbers."""
