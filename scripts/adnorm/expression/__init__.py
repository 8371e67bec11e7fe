"""Published files become a matrix of log2 expression, its sample sheet and its quality."""
