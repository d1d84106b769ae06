"""Tables of papers: our results beside published numbers."""
