"""Formats in, tables out: what labs and GEO hold, read as it stands, or refused with a reason."""
