"""A run's settings: its network, its neurons and its training."""

from dataclasses import dataclass

from tsbp_core import LIF, surrogates

OPTIMIZERS = ("adamw", "sgd")


@dataclass(frozen=True)
class Settings:
    """A network and its training.

    ``network`` names the layers as ``SpikingNet`` reads them. ``held_out`` training images are
    kept for evaluation after each epoch, in place of the test set; ``limit`` caps the number of
    training images. SGD has Nesterov's momentum of 0.9. At each epoch of ``doublings``, counted
    from 0, the number of steps doubles, to end at ``steps``. With ``length_of`` each weight
    tensor's gradient is given, before the optimiser sees it, the length that it has with that rho.

    Raises
    ------
    ValueError
        If ``steps`` can't be halved that often, or ``doublings`` lie outside the epochs.
    """

    network: str = "32C3-P2-64C3-P2-128C3-P2-128C3-P2"
    steps: int = 4
    doublings: tuple[int, ...] = ()
    epochs: int = 2
    batch: int = 128
    optimizer: str = "adamw"
    lr: float = 1e-2
    weight_decay: float = 0.01
    warmup: float = 0.25
    label_smoothing: float = 0.1
    shift: int = 2
    precision: str = "float32"
    decay: float = 0.8
    threshold: float = 1.0
    reset: str = "zero"
    surrogate_width: float = 0.2
    surrogate_unit: str = "area"
    reset_gradient: float = 1.0
    length_of: float | None = None
    held_out: int = 0
    limit: int = 50_000

    def __post_init__(self):
        if self.steps < 1 or self.steps % 2 ** len(self.doublings):
            raise ValueError(
                f"steps must be a positive multiple of {2 ** len(self.doublings)}, as they double "
                f"{len(self.doublings)} times, got {self.steps}"
            )
        if not all(0 < doubling < self.epochs for doubling in self.doublings):
            raise ValueError(
                f"doublings must be epochs from 1 to {self.epochs - 1}, got {self.doublings}"
            )

    def steps_at(self, epoch):
        """Number of steps in an epoch."""
        return self.steps >> sum(epoch < doubling for doubling in self.doublings)

    def neuron(self):
        """The ``LIF`` of all layers."""
        surrogate = surrogates.Sigmoid(self.surrogate_width, unit=self.surrogate_unit)
        return LIF(self.decay, self.threshold, self.reset, surrogate, self.reset_gradient)
