"""Starting files of new methods, which `chimera-bench new` copies."""
