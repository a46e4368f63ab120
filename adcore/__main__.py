"""`python -m adcore FILE:FUNCTION --show STAGE`: what the compiler makes of a function, stage by stage."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; the exit status is 1 where the function cannot be compiled."""
    import numpy as np

    import adcore as ad
    from adcore.driver.pipeline import STAGES

    names = [stage.name for stage in STAGES]
    modes = {"reverse": ad.Reverse, "forward": ad.Forward, "primal": ad.Primal}
    parser = argparse.ArgumentParser("python -m adcore", description=__doc__)
    parser.add_argument("function", help="FILE:FUNCTION or package.module:FUNCTION")
    parser.add_argument("--show", action="append", choices=[*names, "certificate", "times"], metavar="STAGE",
                        help=f"what to print (default: plan): {', '.join(names)}, certificate, times")  # fmt: skip
    arguments = "the arguments, a Python expression such as '(np.ones(8), 2.0)' over np and the names of the file"
    parser.add_argument("--args", help=arguments)
    parser.add_argument("--mode", choices=list(modes), default="reverse")
    parser.add_argument("--workspace", default="auto", help="auto, heap, or a number of bytes")
    parser.add_argument("--fastmath", action="store_true")
    options = parser.parse_args(argv)
    try:
        module, function = find(options.function)
        values = evaluate(options.args, {**module, "np": np}) if options.args else example(function)
        workspace = int(options.workspace) if options.workspace.isdigit() else options.workspace
        mode = modes[options.mode]
        annotated = [annotation(value, options.mode) for value in values]
        handle = ad.compile(function, *annotated, mode=mode, workspace=workspace, fastmath=options.fastmath)
    except (ad.CompileError, ad.WorkspaceError, ad.ArgumentError, LookupError) as error:
        print(error.args[0] if isinstance(error, LookupError) else error, file=sys.stderr)
        return 1
    for name in options.show or ["plan"]:
        print(shown(handle, name))
    return 0


def shown(handle: Any, name: str) -> str:
    """One thing to print."""
    if name == "certificate":
        return str(handle.certificate)
    if name == "times":
        return "\n".join(f"{stage:>12} {1e3 * seconds:8.2f} ms" for stage, seconds in handle.seconds.items())
    return str(handle.stage(name))


def find(target: str) -> tuple[dict[str, Any], Callable[..., Any]]:
    """The names of a file (or module) and the function in it. Raises LookupError."""
    place, _, name = target.rpartition(":")
    if not place:
        raise LookupError(f"{target!r}: write FILE:FUNCTION")
    if place.endswith(".py"):
        path = Path(place)
        if not path.is_file():
            raise LookupError(f"there is no file {place}")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(path.stem, module)
        sys.path.insert(0, str(path.parent))
        spec.loader.exec_module(module)
    else:
        try:
            module = importlib.import_module(place)
        except ModuleNotFoundError as error:
            raise LookupError(str(error)) from error
    if not hasattr(module, name):
        raise LookupError(f"{place} has no function {name}")
    return vars(module), getattr(module, name)


def evaluate(expression: str, names: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments that an expression gives: a tuple is all of them, anything else the only one."""
    value = eval(expression, names)
    return value if isinstance(value, tuple) else (value,)


def example(function: Callable[..., Any]) -> tuple[Any, ...]:
    """Example arguments: defaults; else from annotations (float, int, bool, arrays); else an array of 8 numbers."""
    import numpy as np

    by_annotation = {float: 1.5, int: 3, bool: True, "float": 1.5, "int": 3, "bool": True}
    found: list[Any] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default is not parameter.empty:
            found.append(parameter.default)
        else:
            found.append(by_annotation.get(parameter.annotation, np.linspace(0.5, 1.5, 8)))
    return tuple(found)


def annotation(value: Any, mode: str) -> Any:
    """The annotation that differentiates by `value` where it has floats."""
    import adcore as ad
    from adcore.driver.specialisations import is_differentiable
    from adcore.runtime.values.arguments import describe
    from adcore.runtime.values.leaves import flatten, rebuild, zeros
    from adcore.signature import ScalarArg, leaves

    arg = describe(value, "argument")
    types = [leaf.type for leaf in leaves(arg, "")]
    if mode == "primal" or not any(is_differentiable(t) for t in types):
        return ad.Const(value)
    if isinstance(arg, ScalarArg):
        return ad.Active(value) if mode == "reverse" else ad.Duplicated(value, 1.0)
    shadow = [
        zeros(v) if is_differentiable(t) else None for v, t in zip(flatten([arg], [value]).values, types, strict=True)
    ]
    return ad.Duplicated(value, rebuild(arg, iter(shadow)))


if __name__ == "__main__":
    sys.exit(main())
