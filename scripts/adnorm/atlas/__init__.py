"""The stage atlas: dose, time and drug classes, over all cohorts of a run."""
