"""`python -m netstitch`: the command line."""

from netstitch.cli import main

if __name__ == "__main__":
    main()
