"""The only place that loops: fitting, checkpoints, data order, device, health, scoring."""
