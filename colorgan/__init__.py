"""The core model module: a U-Net and a PatchGAN that colour gray photos, and everything to train and measure them."""
