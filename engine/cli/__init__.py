"""The command line: one file a command; others script against it, so it is kept stable."""
