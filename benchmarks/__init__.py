"""Figures of this machine: `python -m benchmarks`."""

import os

# Before NumPy is imported: the BLAS that is compared with runs on one core, as everything else does.
for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
