import dataclasses


@dataclasses.dataclass(frozen=True)
class P:
    mass: float

    def energy(self):
        return self.mass


def f(p, xs, t):
    p.mass = 2.0
    e = p.energy()
    q = p.weight
    xs[0] = 1.0
    t[1] = 2.0
    s = xs[1:]
    for k in p:
        pass
    raise KeyError(t[0])
