"""The findings of a run as one page that needs nothing else: no network, no font, no library.

It answers before it shows evidence: what failed, why, where, what to do; then the user's own lines, then plots. What
was not measured is not drawn.
"""
