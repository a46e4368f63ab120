"""From a call to a kernel: stages in order, the specialisation that serves a call, handles, the functional face."""
