"""Tables of a study: columns, notes, output formats."""
