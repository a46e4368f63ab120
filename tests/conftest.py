"""Settings of all tests: property tests must not fail because the machine is busy.

Under CI they draw the same examples every time, so that a change is judged by what it changes; elsewhere new ones.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "patient", deadline=None, derandomize=bool(os.environ.get("CI")), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")
