"""``python -m pipeline.cli``: the same as the console command ``betabench``."""

from pipeline.cli.main import main

if __name__ == "__main__":
    main()
