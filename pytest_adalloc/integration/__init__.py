"""Between pytest and the checks: flags and settings, marks, the fixture, progress, the policy of the run."""
