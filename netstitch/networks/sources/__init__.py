"""Sources of models: functions of the user, timm, torchvision."""
