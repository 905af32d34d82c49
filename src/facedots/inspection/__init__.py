"""The inside of a network: kernels, feature maps, frequency responses."""
