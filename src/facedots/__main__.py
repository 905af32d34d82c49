"""``python -m facedots``: the command line."""

from facedots.cli.main import main

if __name__ == "__main__":
    main()
