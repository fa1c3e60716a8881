import sys

from bozzetto.cli import main

sys.exit(main())
