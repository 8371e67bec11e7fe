"""The normalization index: how far treatment brings diseased skin back, and where it does not."""
