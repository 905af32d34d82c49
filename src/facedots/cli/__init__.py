"""The command line: one short file a command; heavy imports happen inside the commands."""
