"""Point clouds: the pinhole camera, and readers of LiDAR datasets with their cameras."""
