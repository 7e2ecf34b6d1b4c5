"""Asks for the version of Landlock."""
from probe import reach

LANDLOCK_CREATE_RULESET_VERSION = 1
reach("landlock_create_ruleset", None, 0, LANDLOCK_CREATE_RULESET_VERSION)
