"""Simulated trials with a known truth, and what adnorm says of them."""
