"""Checks that find contaminated and broken samples without a trained model."""
