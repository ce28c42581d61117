"""`python -m proveout`: the command line if the script is not on the path."""

from proveout.cli import main

# A worker of `python -m proveout serve` is a new process that imports this file.
if __name__ == "__main__":
    main(prog_name="proveout")
