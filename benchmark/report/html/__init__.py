"""Report of a study as one HTML file: frozen data made from results, and templates that show it."""
