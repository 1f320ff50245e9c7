"""Where models come from: functions of the user, timm, torchvision."""
