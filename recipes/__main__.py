"""The recipes, a line each: `python -m recipes`."""

import os
import sys

from recipes._runtime.start import first_line, recipes, unknown_recipe


def main(argv: list[str]) -> None:
    """Print the list. A word is taken for a recipe's name: one line of error, and status 2."""
    words = [word for word in argv if word not in ("-h", "--help")]
    if words:
        fault = unknown_recipe(f"recipes.{words[0]}")
        print(f"error: {fault or f'start it as python -m recipes.{words[0]}'}", file=sys.stderr)
        sys.exit(2)
    names = recipes()
    width = max(map(len, names))
    lines = [f"{name:{width}}  {first_line(name)}" for name in names]
    head = "python -m recipes.NAME, with NAME one of these; --help lists its flags.\n"
    try:
        print("\n".join([head, *lines]), flush=True)
    except BrokenPipeError:  # its reader has had enough, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


if __name__ == "__main__":
    main(sys.argv[1:])
