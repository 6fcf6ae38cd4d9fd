"""scikit-learn's checks of estimators that say that they take arrays of any standard library."""

from __future__ import annotations

import os
import subprocess
import sys

import array_api_strict as strict
import numpy as np
import pytest

pytest.importorskip("sklearn")
from fastmlp import MLPClassifier
from fastmlp.backends import resolve_backend
from fastmlp.data import load_digits

DIGITS = load_digits()
X, Y = DIGITS.X_train[:300] / 16.0, DIGITS.y_train[:300]
CHECKS = """
import unittest, warnings
from sklearn.utils.estimator_checks import estimator_checks_generator
from fastmlp import MLPClassifier, MLPRegressor
warnings.simplefilter("ignore")
done = []
for model in (MLPClassifier(max_iter=5), MLPRegressor(max_iter=5)):
    for estimator, check in estimator_checks_generator(model):
        if "array_api" not in check.func.__name__:
            continue
        try:
            check(estimator)
            done.append(check.func.__name__)
        except unittest.SkipTest:
            pass
print(len(done), *sorted(set(done)))
"""


def test_scikit_learn_checks_of_the_tag() -> None:
    pytest.importorskip("sklearn", "1.9")  # earlier ones check less, by other names
    found = subprocess.run(
        [sys.executable, "-c", CHECKS],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    n, *names = found.stdout.split()
    assert int(n) >= 6
    assert {"check_array_api_input", "check_array_api_same_namespace"} <= set(names)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("device", ["CPU_DEVICE", "device1"])
def test_a_library_without_a_backend_of_its_own_is_learnt_from_and_answered(device: str) -> None:
    place = strict.Device(device)
    values = strict.asarray(X, device=place)
    model = MLPClassifier(max_iter=3, random_state=0).fit(values, Y)
    assert (model.backend_, model.device_) == ("array_api_strict", str(place))
    expected = MLPClassifier(max_iter=3, random_state=0).fit(X, Y)
    np.testing.assert_allclose(model.coefs_[0], expected.coefs_[0], rtol=1e-10, atol=1e-12)
    p = model.predict_proba(values)
    assert p.device == place
    on_host = np.asarray(p.to_device(strict.Device("CPU_DEVICE")))
    np.testing.assert_allclose(on_host, expected.predict_proba(X), rtol=1e-9)
    np.testing.assert_allclose(model.predict_proba(X), on_host, rtol=1e-12)  # hosts are served
    assert resolve_backend(None, values) is resolve_backend(None, p)
