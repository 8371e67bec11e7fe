"""The explorer: one page that answers "and this gene?" from the tables of all cohorts."""
