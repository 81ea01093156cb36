"""A network of single planes out of one of stacks."""

from __future__ import annotations

from torch import nn

from napari_mito_predict.networks.unet import UNet


def planar(network: UNet) -> UNet:
    """A 2-D U-Net that answers to a plane nearly as a 3-D one does deep inside a stack of copies of that plane.

    In such a stack nothing changes along z, so that the weights of a convolution that lie above each other are one
    weight, their sum. A transposed convolution makes two planes of one, each with half of its weights. The planes
    differ a little; here they are their mean, which makes this a start for training, not the same network.

    Parameters
    ----------
    network : UNet
        3-D; not modified.
    """
    flat = UNet(
        ndim=2,
        depth=network.depth,
        base_channels=network.base_channels,
        convs_per_level=network.convs_per_level,
        in_channels=network.in_channels,
        out_channels=network.out_channels,
    )
    state = network.state_dict()
    for name, module in network.named_modules():
        weight = f"{name}.weight"
        if isinstance(module, nn.ConvTranspose3d):
            state[weight] = state[weight].mean(dim=2)
        elif isinstance(module, nn.Conv3d):
            state[weight] = state[weight].sum(dim=2)
    flat.load_state_dict(state)
    return flat.train(network.training)
