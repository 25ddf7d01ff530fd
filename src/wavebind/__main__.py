"""``python -m wavebind``."""

from wavebind.cli.main import main

main()
