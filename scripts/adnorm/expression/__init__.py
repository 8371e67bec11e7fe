"""From published files to one matrix of log2 expression with a canonical sample sheet."""
