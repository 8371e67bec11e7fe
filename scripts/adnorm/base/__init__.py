"""The ground: errors, logs, tables, code digests. No science, imports nothing of ours."""
