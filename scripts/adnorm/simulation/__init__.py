"""Trials with a known truth, written as GEO would serve them."""
