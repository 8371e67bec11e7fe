"""A first cohort file for data nobody has described yet: proposed, never decided."""
