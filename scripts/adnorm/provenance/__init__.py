"""What a reviewer gets of a run: a crate with its record, and what another run has of it."""
