"""Reports: tables, figures and data frames made from stored runs. Nothing is trained here, so torch is not needed."""
