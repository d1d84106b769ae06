"""Tables of a study and of a comparison, in text and machine-readable formats."""
