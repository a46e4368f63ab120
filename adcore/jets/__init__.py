"""Exact slopes of the primal's IR, without differences and without any derivative rule of the compiler."""

from adcore.jets.decisions import TooMuchWork
from adcore.jets.first_order import Jet, Jets
from adcore.jets.germs import Germs
from adcore.jets.program import JetProgram, NotReadable, program_of
from adcore.jets.rounded import RoundedJets

__all__ = [
    "Germs",
    "Jet",
    "JetProgram",
    "Jets",
    "NotReadable",
    "RoundedJets",
    "TooMuchWork",
    "program_of",
]
