"""Comparisons of the design as contrasts of one linear model per cohort."""
