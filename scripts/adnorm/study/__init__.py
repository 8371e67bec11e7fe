"""What a study is: its cohort file, sample sheet, gene sets and the design that follows."""
