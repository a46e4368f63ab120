"""Calls: one object for what is called (`call.Call`), and the ways to run it.

    annotations -> in_place (batch, split_run) -> run -> call -> specialisations
    functional face, higher order               -> sweeps, call

A `Call` says what is called and what is differentiated, and finds code for any sweeps. A `Run` is the code of one such
choice with a frame over buffers: the user's own (`InPlaceRun`), or copies (`batching`).
"""
