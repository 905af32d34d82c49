"""Images and figures for people."""
