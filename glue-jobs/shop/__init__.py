"""What the jobs of the reference lake share: histories of customers, their features, and who measures a model."""
