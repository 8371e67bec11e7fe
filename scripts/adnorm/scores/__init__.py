"""Scores of gene sets per sample, and how much of each set a platform can see."""
