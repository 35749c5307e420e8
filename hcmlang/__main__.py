"""`python -m hcmlang` is `hcmlang`."""

from hcmlang.cli.main import main

if __name__ == "__main__":
    main()
