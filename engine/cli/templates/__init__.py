"""Pages that commands write; a package, so that the files are installed with the code."""
