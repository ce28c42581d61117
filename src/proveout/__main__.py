"""`python -m proveout`: the command line where no script is on the path."""

from proveout.cli import main

main(prog_name="proveout")
