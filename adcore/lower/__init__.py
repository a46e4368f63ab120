"""IR to native code: LLVM IR as text, an object file, and the proof that it cannot allocate."""

from adcore.abi.certificate import Certificate
from adcore.abi.faults import Fault
from adcore.abi.frame import FrameLayout
from adcore.lower.kernel_memory import AllocationSite, SweepPart
from adcore.lower.lowering import Lowered, lower
from adcore.lower.objects.certificate import certify
from adcore.lower.objects.object_code import Artifact, EmitOptions, emit

__all__ = [
    "AllocationSite", "Artifact", "Certificate", "EmitOptions", "Fault", "FrameLayout", "Lowered", "SweepPart",
    "certify", "emit", "lower",
]  # fmt: skip
