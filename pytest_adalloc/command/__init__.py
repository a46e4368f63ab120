"""The console script `adcore`: everything that is done outside of a test run."""
