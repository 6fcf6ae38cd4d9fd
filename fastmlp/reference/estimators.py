"""The estimators' faces of the reference."""

from __future__ import annotations

from fastmlp import estimators
from fastmlp.backends import Backend
from fastmlp.core import LOSSES, Loss, Params, Recipe
from fastmlp.estimators.base import BaseMLP
from fastmlp.reference.keras_trainer import KerasTrainer


class _OnKeras(BaseMLP):
    """Train with Keras where the backend would have trained."""

    _on_device = False

    def _loss(self, name: str) -> Loss:
        return LOSSES[name]

    def _trainer_of(
        self,
        backend: Backend,
        recipe: Recipe,
        params: Params,
        batch_size: int,
        dtype: str,
        overlap: bool,
        seed: int = 0,
    ) -> KerasTrainer:
        if backend.precision != "float32":
            raise ValueError(
                f"precision={backend.precision!r}: the reference multiplies float32 in full. Leave "
                "precision out."
            )
        return KerasTrainer(
            recipe,
            params,
            learning_rate=self.learning_rate_init,
            batch_size=batch_size,
            dtype=dtype,
            seed=seed,
        )


class MLPClassifier(_OnKeras, estimators.MLPClassifier):
    """`fastmlp.MLPClassifier`, trained by Keras on TensorFlow; backend and device say nothing.

    Examples
    --------
    ::

        from fastmlp.reference import MLPClassifier
        MLPClassifier((128,), random_state=0).fit(X, y).score(X, y)
    """


class MLPRegressor(_OnKeras, estimators.MLPRegressor):
    """`fastmlp.MLPRegressor`, trained by Keras on TensorFlow; backend and device say nothing."""
