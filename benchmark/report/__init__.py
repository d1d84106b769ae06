"""From stored runs to text and figures. Imports no torch: what is drawn here was computed long ago."""
