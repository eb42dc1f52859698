"""Reference values for polytomous items: catR's formulas in 40-digit arithmetic.

Prints polytomous.json. The category probabilities are those of catR 3.17 (Magis & Raiche, 2012; R/Pi.R),
with the scaling constant D in every slope (catR leaves it out of the nominal model and of the partial
credit models' derivatives). Everything else follows from them by its definition and shares no code
with the engine: derivatives are taken by Taylor expansion of the probabilities, EAP is catR's trapezoid
rule, the other estimators are roots of catR's equations, bracketed by a scan.

    pip install mpmath && python3 polytomous.py > polytomous.json
"""

import json
import random

from mpmath import mp, mpf, exp, log, sqrt, diff, taylor, findroot

mp.dps = 40


def probabilities(item, theta, D):
    """P_0 ... P_K at theta."""
    model = item["model"]
    if model in ("GRM", "MGRM"):
        steps = item["b"] if model == "GRM" else [item["b"] - c for c in item["c"]]
        above = [1 / (1 + exp(-D * item["a"] * (theta - step))) for step in steps]
        above = [mpf(1)] + above + [mpf(0)]
        return [above[k] - above[k + 1] for k in range(len(above) - 1)]
    if model == "NRM":
        logits = [mpf(0)] + [D * slope * theta + c for slope, c in zip(item["alpha"], item["c"])]
    else:
        slope = item.get("a", mpf(1))
        steps = item["delta"] if model != "RSM" else [item["lambda"] + delta for delta in item["delta"]]
        logits = [mpf(0)]
        for step in steps:
            logits.append(logits[-1] + D * slope * (theta - step))
    weights = [exp(logit) for logit in logits]
    return [weight / sum(weights) for weight in weights]


def expansion(item, theta, D, order=3):
    """Taylor coefficients of each P_k at theta, as derivatives."""
    count = len(probabilities(item, theta, D))
    out = []
    for k in range(count):
        coefficients = taylor(lambda t: probabilities(item, t, D)[k], theta, order)
        out.append([c * mp.factorial(n) for n, c in enumerate(coefficients)])
    return out


def information(item, theta, D):
    """sum P'^2 / P."""
    return sum(p1 * p1 / p for p, p1, *_ in expansion(item, theta, D, 1))


def score(items, answers, theta, D):
    return sum(
        diff(lambda t: log(probabilities(item, t, D)[k]), theta) for item, k in zip(items, answers)
    )


def bias_term(items, theta, D):
    """J = sum P' P'' / P (Warm, 1989; Samejima, 1993)."""
    return sum(p1 * p2 / p for item in items for p, p1, p2, *_ in expansion(item, theta, D, 2))


def test_information(items, theta, D):
    return sum(information(item, theta, D) for item in items)


def eap(items, answers, D):
    nodes = [mpf(-4) + mpf(8) * n / 32 for n in range(33)]

    def density(t):
        value = exp(-t * t / 2)
        for item, k in zip(items, answers):
            value *= probabilities(item, t, D)[k]
        return value

    weights = [density(t) for t in nodes]
    weights[0] /= 2
    weights[-1] /= 2
    mass = sum(weights)
    mean = sum(w * t for w, t in zip(weights, nodes)) / mass
    return mean, sqrt(sum(w * (t - mean) ** 2 for w, t in zip(weights, nodes)) / mass)


def root(equation):
    """The root on [-4, 4], or the bound the equation points to; none where there are several."""
    grid = [mpf(-4) + mpf(n) / 4 for n in range(33)]
    values = [equation(t) for t in grid]
    crossings = [n for n in range(32) if values[n] > 0 >= values[n + 1]]
    rising = [n for n in range(32) if values[n] < 0 <= values[n + 1]]
    if rising:
        return None
    if not crossings:
        return mpf(-4) if values[0] < 0 else mpf(4)
    n = crossings[0]
    return findroot(equation, (grid[n], grid[n + 1]), solver="anderson", tol=mpf(10) ** -30)


def estimates(items, answers, D):
    out = {}
    theta, error = eap(items, answers, D)
    out["EAP"] = [theta, error]
    theta = root(lambda t: score(items, answers, t, D) - t)
    if theta is not None:
        out["BM"] = [theta, 1 / sqrt(test_information(items, theta, D) + 1)]
    theta = root(lambda t: score(items, answers, t, D))
    if theta is not None:
        out["ML"] = [theta, 1 / sqrt(test_information(items, theta, D))]
    theta = root(
        lambda t: score(items, answers, t, D) + bias_term(items, t, D) / (2 * test_information(items, t, D))
    )
    if theta is not None:
        out["WL"] = [theta, 1 / sqrt(test_information(items, theta, D))]
    return {name: [float(value) for value in pair] for name, pair in out.items()}


def draw(model, rng):
    steps = rng.choice([2, 3, 4])
    a = round(rng.uniform(0.5, 2.0), 3)
    thresholds = sorted(round(rng.uniform(-2.5, 2.5), 3) for _ in range(steps))
    free = [round(rng.uniform(-2, 2), 3) for _ in range(steps)]
    b = round(rng.uniform(-1.5, 1.5), 3)
    return {
        "GRM": {"a": a, "b": thresholds},
        "MGRM": {"a": a, "b": b, "c": [-t for t in thresholds]},
        "GPCM": {"a": a, "delta": free},
        "PCM": {"delta": free},
        "RSM": {"lambda": b, "delta": free},
        "NRM": {"alpha": [round(a * (k + 1) * rng.uniform(0.7, 1.3), 3) for k in range(steps)], "c": free},
    }[model] | {"model": model}


def exact(item):
    whole = lambda value: [mpf(repr(v)) for v in value] if isinstance(value, list) else mpf(repr(value))
    return {name: value if name == "model" else whole(value) for name, value in item.items()}


def main():
    rng = random.Random(20261123)
    cases = []
    for model in ("GRM", "MGRM", "GPCM", "PCM", "RSM", "NRM"):
        for D in (1, 1.7):
            for _ in range(3):
                items = [draw(model, rng) for _ in range(8)]
                exacts = [exact(item) for item in items]
                theta, D_exact = rng.gauss(0, 1), mpf(repr(D))
                answers = []
                for item in exacts:
                    p = [float(value) for value in probabilities(item, mpf(theta), D_exact)]
                    answers.append(rng.choices(range(len(p)), p)[0])
                at = round(rng.uniform(-2.5, 2.5), 2)
                point = mpf(repr(at))
                cases.append({
                    "D": D,
                    "items": items,
                    "answers": answers,
                    "estimates": estimates(exacts, answers, D_exact),
                    "at": at,
                    "probabilities": [
                        [float(p) for p in probabilities(item, point, D_exact)] for item in exacts
                    ],
                    "information": [float(information(item, point, D_exact)) for item in exacts],
                })
    print(json.dumps(cases, separators=(",", ":")))


main()
