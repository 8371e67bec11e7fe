"""Pages for a browser: the overview of a cohort and the list of all cohorts, from templates."""
