"""Samples from arrays, files, folders of images and known data sets."""
