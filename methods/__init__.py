"""Methods, one file each; a file in this folder is registered under its name."""
