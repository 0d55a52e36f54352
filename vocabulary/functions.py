"""Elementary functions as libraries compute them: what each is exactly, and how far libraries are off.

``ulps`` is the largest error that any of the frameworks shows, in units in the last place, by dtype. They were measured against
the truth on 200,000 points a function (3,000,000 in float32) with numpy 1.26.4, autograd 1.9.1, PyTorch 2.13.0, TensorFlow
2.21.0, JAX 0.7.1, MXNet 1.9.1 and Chainer 7.8.1 on AVX-512. IEEE 754 leaves these errors to the library, and published tables
(OpenCL's full profile: exp 3, log 3, tanh 5) are exceeded by libraries in use. tests/test_contract.py holds every backend to
them; Chainer's sigmoid is no part of them but a declared deviation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from vocabulary.words import Words


@dataclasses.dataclass(frozen=True)
class Function:
    """An elementary function: ``exactly`` takes and returns a ball, and contains its argument once where it can.

    A ball is then as narrow as can be. ``ulps`` are empty where no library computes the function in one piece.
    """

    name: str
    exactly: Callable[[Any], Any]
    ulps: Mapping[str, float] = dataclasses.field(default_factory=dict)


FUNCTIONS: Words[Function] = Words(
    "function",
    {
        function.name: function
        for function in (
            Function("exp", lambda x: x.exp(), {"float16": 0.5, "float32": 2.33, "float64": 1.49}),
            Function("log", lambda x: x.log(), {"float16": 0.5, "float32": 3.58, "float64": 1.65}),
            Function("tanh", lambda x: x.tanh(), {"float16": 0.5, "float32": 5.76, "float64": 7.87}),
            Function("sigmoid", lambda x: 1 / (1 + (-x).exp()), {"float16": 1.94, "float32": 5.96, "float64": 2.63}),
            # 1 / cosh(x)^2, a form of the derivative of tanh.
            Function("sech2", lambda x: 1 / x.cosh() ** 2, {"float16": 3.11, "float32": 7.49, "float64": 6.63}),
            # 1 / x, a form of the derivative of log; not correctly rounded in every framework.
            Function("reciprocal", lambda x: 1 / x, {"float16": 0.5, "float32": 2.68, "float64": 0.5}),
            # log(1 + x), measured on [0, 1], where cross entropies need it.
            Function("log1p", lambda x: x.log1p(), {"float16": 1.87, "float32": 3.81, "float64": 2.18}),
            # log(1 + exp(x)), which libraries compute in several ways.
            Function("softplus", lambda x: x.exp().log1p()),
        )
    },
)
