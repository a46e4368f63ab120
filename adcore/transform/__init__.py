"""Passes: functions from IR to IR."""
