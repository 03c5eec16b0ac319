"""The losses of both networks, as pure functions in `keras.ops`, computed in float32 whatever the networks' precision.

The kind of adversarial loss is structural and a text; label smoothing is an input of the graph. Weighting and adding
up is the training step's. All means are over photos, places and channels alike.
"""

from __future__ import annotations

from typing import Any, Literal

from keras import ops

Adversarial = Literal["bce", "least_squares"]


def adversarial_loss(logits: Any, target: Any, kind: Adversarial) -> Any:
    """Returns how far the discriminator's logits are from a target, a scalar.

    Args:
        logits: Of any shape; not yet a probability.
        target: 1 is real, 0 is generated; a number or a scalar tensor.
        kind: `bce` is the cross-entropy of sigmoid(logits) with the target, stable at any logit;
            `least_squares` is the mean squared distance of the logits themselves, not halved.

    Source: Goodfellow et al. 2014, arXiv 1406.2661, equation 1; Mao et al. 2017, arXiv 1611.04076, equation 2 with
    a = 0, b = c = 1, times two.
    """
    logits = ops.cast(logits, "float32")
    if kind == "least_squares":
        return ops.mean(ops.square(logits - target))
    return ops.mean(ops.softplus(logits) - logits * target)


def generator_loss(logits_generated: Any, kind: Adversarial) -> Any:
    """Returns the generator's adversarial loss, a scalar: generated photos shall pass for real.

    The non-saturating form. Source: Isola et al. 2017, arXiv 1611.07004, section 3.3.
    """
    return adversarial_loss(logits_generated, 1.0, kind)


def discriminator_loss(
    logits_real: Any, logits_generated: Any, kind: Adversarial, label_smoothing: Any
) -> tuple[Any, Any]:
    """Returns the discriminator's losses on real and on generated photos, two scalars.

    Args:
        logits_real: Of real photos, any shape.
        logits_generated: Of generated photos, any shape.
        kind: As in `adversarial_loss`.
        label_smoothing: The target of real photos is 1 - this, that of generated ones stays 0; a number or a scalar
            tensor. Source: Salimans et al. 2016, arXiv 1606.03498, section 3.4.
    """
    real = adversarial_loss(logits_real, 1.0 - label_smoothing, kind)
    return real, adversarial_loss(logits_generated, 0.0, kind)


def l1_loss(real: Any, generated: Any) -> Any:
    """Returns the mean absolute error of scaled chroma. Source: Isola et al. 2017, arXiv 1611.07004, equation 3."""
    return ops.mean(ops.abs(_difference(real, generated)))


def l2_loss(real: Any, generated: Any) -> Any:
    """Returns the mean squared error of scaled chroma."""
    return ops.mean(ops.square(_difference(real, generated)))


def _difference(real: Any, generated: Any) -> Any:
    return ops.cast(real, "float32") - ops.cast(generated, "float32")
