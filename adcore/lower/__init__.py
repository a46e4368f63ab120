"""IR to native code: LLVM IR as text, an object file, and the proof that it cannot allocate."""

from adcore.lower.certificate import Certificate, certify
from adcore.lower.emitter import Fault
from adcore.lower.frame import FrameLayout
from adcore.lower.lowering import Lowered, lower
from adcore.lower.object_code import Artifact, Options, emit
from adcore.lower.storage import AllocationSite, Part

__all__ = [
    "AllocationSite", "Artifact", "Certificate", "Fault", "FrameLayout", "Lowered", "Options", "Part", "certify",
    "emit", "lower",
]  # fmt: skip
