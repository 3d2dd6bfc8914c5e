"""Masked autoencoders with their decoder: MAE, RETFound (colour fundus, OCT).

The decoder and the mask token only serve the training and are left out. The norm after the blocks
must be loaded, so the network is built with its usual pooling, by class token.
"""

from __future__ import annotations

from torch import nn

from core.teachers.formats.base import FORMATS, Guess, State
from core.teachers.formats.names import strip
from core.teachers.formats.shapes import PATCH, guess_vit, is_vit
from core.teachers.formats.timm import fit

DECODER = "decoder_embed.weight"
ONLY_TRAINING = ("decoder_", "mask_token")


class MaeFormat:
    """A vision transformer beside the decoder that trained it."""

    title = "MAE with its decoder"

    def recognises(self, state: State) -> bool:
        """Whether a decoder stands beside a vision transformer."""
        own = strip(state, {PATCH})
        return DECODER in own and is_vit(own)

    def guess(self, state: State) -> list[Guess]:
        """The encoder."""
        return [guess_vit(_encoder(state))]

    def convert(self, state: State, network: nn.Module) -> State:
        """The encoder alone."""
        return fit(_encoder(state), network)


FORMATS.register("mae", __name__)(MaeFormat())


def _encoder(state: State) -> State:
    own = strip(state, {PATCH})
    return {key: tensor for key, tensor in own.items() if not key.startswith(ONLY_TRAINING)}
