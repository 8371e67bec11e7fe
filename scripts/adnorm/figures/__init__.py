"""Figures and the overview page of a cohort: draws tables, computes nothing."""
