"""Bytes in, proven: GEO, a mirror of it, a lab's own files, or a simulated trial."""
