"""The run-time type checker of the tests: beartype, where an ``int`` may stand for a ``float`` (PEP 484's tower)."""

from beartype import BeartypeConf, beartype

typecheck = beartype(conf=BeartypeConf(is_pep484_tower=True))
